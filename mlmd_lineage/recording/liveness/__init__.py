"""Liveness of runs: the heartbeat, and runs that ended without saying so."""
