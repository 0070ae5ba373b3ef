"""Kubeflow Pipelines' own database of runs, and what its upgrade to 3.0 does to MLMD's history."""
