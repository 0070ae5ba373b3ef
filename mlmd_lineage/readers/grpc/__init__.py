"""Reading MLMD from its gRPC service, without ``ml_metadata``."""
