"""MLMD's own test-suite passes against our own engine, where ml_metadata cannot be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlmd_suite
import pytest
from metadata_service import served

if TYPE_CHECKING:
    from pathlib import Path

    import servers


@pytest.mark.slow
@pytest.mark.native  # the suite and its client are part of it
@pytest.mark.parametrize("flavor", ["sqlite", "mariadb_server", "postgresql_server"])
def test_the_librarys_suite_passes(flavor: str, request: pytest.FixtureRequest, tmp_path: Path):
    target = str(tmp_path / "new.db")
    password = ""
    if flavor != "sqlite":
        server: servers.Server = request.getfixturevalue(flavor)
        target, password = server.url(server.new_database()), server.password
    with served(
        target, "--create", "--engine", "own", "--workers", "2", without_mlmd=True
    ) as service:
        assert mlmd_suite.passes(tmp_path, service.host, service.port)
        assert not password or password not in service.log
