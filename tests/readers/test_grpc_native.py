"""Reading the service that MLMD's own code answers, by way of ``mlmd-lineage serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import metadata_service
import odd_stores
import pytest
import server_stores
from grpc_stores import as_told
from native_library import HAS_FILTERS

import mlmd_lineage as ml
from mlmd_lineage.snapshot.archive import canonical
from mlmd_lineage.snapshot.tables import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from mlmd_lineage.snapshot.snapshot import Snapshot

pytestmark = [pytest.mark.native, pytest.mark.slow]


def assert_alike(found: Snapshot, expected: Snapshot, tables: Collection[str] = ALL_TABLES) -> None:
    for table in tables:
        one, other = (canonical(table, snapshot[table]) for snapshot in (found, expected))
        assert one.to_pylist() == other.to_pylist(), table


def test_a_bit_of_everything(tmp_path: Path):
    path = tmp_path / "metadata.db"
    server_stores.fill_natively(ml.SQLiteMetadataStore(uri=str(path)), 100)
    with metadata_service.served(path, "--engine", "native", "--workers", "2") as service:
        store = ml.connect(f"grpc://{service.address}")
        expected = as_told(ml.connect(path).snapshot())
        found = store.snapshot()
        assert_alike(found, expected)
        assert found.findings == expected.findings
        # One way to the memberships is enough: with filters, nothing is asked context by context.
        assert "GetLineageSubgraph" in service.log
        assert ("ByContext OK" in service.log) is not HAS_FILTERS
        own = store.native()
        assert len(own.get_artifacts()) == found.artifacts.num_rows


@pytest.mark.parametrize("name", ["tfx_local.db", "kfp2_emulated.db"])
def test_real_stores(name: str, shared_store: Callable[[str], Path]):
    path = shared_store(name)
    with metadata_service.served(path, "--engine", "native") as service:
        store = ml.connect(f"grpc://{service.address}")
        found = store.snapshot()
        assert_alike(found, as_told(ml.connect(path).snapshot()))
        graph = store.lineage()
        for node in list(graph)[::25]:
            assert list(store.upstream(node)) == list(graph.upstream(node))


def test_nodes_on_which_mlmd_fails(tmp_path: Path):
    path = odd_stores.odd(tmp_path / "metadata.db")
    with metadata_service.served(path, "--engine", "native") as service:
        found = ml.connect(f"grpc://{service.address}").snapshot()
    expected = as_told(ml.connect(path).snapshot())
    bad = {f.subject for f in found.findings if f.code == "unreadable_node"}
    assert bad >= {"artifact/1", "execution/9", "context/1"}
    for kind in ("Artifact", "Execution", "Context"):
        gone = {int(key.partition("/")[2]) for key in bad if key.startswith(kind.lower())}
        ids = set(expected[kind]["id"].to_pylist())
        assert set(found[kind]["id"].to_pylist()) == ids - gone
    assert_alike(found, expected, ("Event", "EventPath", "ParentContext"))
