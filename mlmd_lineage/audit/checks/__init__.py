"""Checks: each looks for one thing in a store that an auditor should know."""
