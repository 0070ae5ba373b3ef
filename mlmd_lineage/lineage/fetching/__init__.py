"""Lineage of a store that is not loaded: nodes and events are fetched hop by hop."""
