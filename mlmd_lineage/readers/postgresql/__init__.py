"""Reading MLMD from PostgreSQL databases."""
