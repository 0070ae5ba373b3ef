"""Recording: runs and steps of one's own code, written by MLMD's rules."""
