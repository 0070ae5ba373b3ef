"""Fixtures of the server's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from service_requests import DEMO_STORE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Copy the demo's store."""
    return Path(shutil.copyfile(DEMO_STORE, tmp_path / "metadata.db"))


@pytest.fixture(params=["own", pytest.param("native", marks=pytest.mark.native)])
def engine(request: pytest.FixtureRequest) -> str:
    """Return the name of one engine after the other."""
    name: str = request.param
    return name
