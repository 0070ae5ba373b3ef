"""The provenance graph: what came from what."""
