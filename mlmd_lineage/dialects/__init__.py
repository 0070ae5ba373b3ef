"""Dialects: the ways in which platforms write pipelines, runs and steps, one module a platform."""
