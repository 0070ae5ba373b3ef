"""Pipelines, runs, steps and artifacts as people think of them, whatever platform wrote them."""
