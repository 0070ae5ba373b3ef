"""Spool: runs that are kept in files while their store is out of reach, and sent later."""
