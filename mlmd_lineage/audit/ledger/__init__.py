"""Ledgers: what a store held at some moments, in a signed chain of entries."""
