"""Dossiers: a model's whole provenance as one document."""
