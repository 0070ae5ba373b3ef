"""What the tests of recording share: an empty store in a folder of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mlmd_lineage as ml

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(config_folder: Path) -> ml.Store:
    """Return a new store; the test runs in a folder of its own."""
    del config_folder
    return ml.connect("store.db", create=True)
