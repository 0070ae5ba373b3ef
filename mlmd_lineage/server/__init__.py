"""Any store as MLMD's gRPC service."""
