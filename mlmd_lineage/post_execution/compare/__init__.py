"""Comparisons: runs of a pipeline, differences of two lineages, and the impact of an artifact."""
