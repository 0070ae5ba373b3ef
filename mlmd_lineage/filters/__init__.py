"""MLMD's filter language, answered by ourselves on every flavor and every version."""
