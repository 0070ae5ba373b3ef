"""Loading pipelines, runs and steps from a store."""
