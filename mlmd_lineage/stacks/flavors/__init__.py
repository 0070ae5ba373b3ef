"""Flavors: which there are, the files they lead to, and how their classes are imported."""

from __future__ import annotations
