"""Pipelines: steps and pipelines as decorated functions, planned and then run by a stack."""
