"""The lineage graph as an archive keeps it: its index in blocks, read as far as answers need it."""
