"""Caching: the key of a step, and the look-up of an execution that has it."""
