"""Readers of SQLite files."""
