"""Readers: how the rows of a metadata store are read, one package for each way of reaching MLMD."""
