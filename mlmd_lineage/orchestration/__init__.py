"""Orchestration: the order in which the steps of a pipeline run, and the processes they run in."""
