"""MLMD's gRPC service over any store."""
