"""Which release of ml_metadata is here, and what it can do."""

from __future__ import annotations

from importlib import metadata

import pytest

VERSIONS = [found.version for found in metadata.distributions(name="ml-metadata")]
HAS_FILTERS = any(tuple(map(int, v.split(".")[:2])) < (1, 21) for v in VERSIONS)
"""Release 1.21 has lost filters, and with them lineage queries."""
NEEDS_FILTERS = pytest.mark.skipif(not HAS_FILTERS, reason="this ml_metadata has no filters")
