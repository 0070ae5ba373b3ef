"""Stacks: a metadata store, an artifact store and an orchestrator that belong together."""

from __future__ import annotations
