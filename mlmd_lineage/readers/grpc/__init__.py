"""Readers of MLMD's gRPC service, without ``ml_metadata``."""
