"""MLMD's write side over the tables of a database."""
