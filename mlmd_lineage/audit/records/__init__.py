"""Records: MLMD's rows as canonical JSON, their Merkle trees, and changes between two states."""
