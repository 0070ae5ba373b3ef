"""Materializers: how Python values become files of an artifact store, and values again."""
