"""The ``kubernetes`` flavor: MLMD in a MySQL server that this library deploys in a cluster."""
