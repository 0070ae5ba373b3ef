"""Contents of a metadata store, as columns."""
