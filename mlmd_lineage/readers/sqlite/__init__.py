"""Reading MLMD from SQLite files."""
