"""Readers of PostgreSQL databases."""
