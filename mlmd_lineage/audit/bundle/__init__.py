"""Bundles: a lineage with all of its records, to be verified without the store."""

from __future__ import annotations

from mlmd_lineage.audit.bundle.saving import save_bundle

__all__ = ["save_bundle"]
