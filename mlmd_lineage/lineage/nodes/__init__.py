"""Nodes of lineage: their keys, attributes and names, and looking them up."""
