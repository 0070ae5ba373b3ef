"""MLMD's write side: nodes, types and edges put into any store in one transaction."""
