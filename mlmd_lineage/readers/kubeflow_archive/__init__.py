"""Reads transfer archives of Kubeflow Pipelines 2.18: MLMD's nodes and events as JSON."""
