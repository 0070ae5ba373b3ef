"""Trees of answers that are deep, wide, or go in circles."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
import terminal

import mlmd_lineage
from mlmd_lineage.lineage.render import text_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mlmd_lineage import Store, Trace

    Make = Callable[[Iterable[tuple[int, int, int]]], Store]

INPUT, OUTPUT = 3, 4


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """Return a function that makes a store of some events, and opens it."""

    def make(events: Iterable[tuple[int, int, int]]) -> mlmd_lineage.Store:
        path = tmp_path / "made.db"
        shutil.copyfile(terminal.DEMO_STORE, path)
        events = list(events)
        with sqlite3.connect(path) as connection:
            for table in ("Artifact", "Execution", "Event", "EventPath"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
            types = dict(connection.execute("SELECT name, id FROM Type"))
            connection.executemany(
                "INSERT INTO Artifact (id, type_id, state) VALUES (?, ?, 2)",
                [(n, types["Model"]) for n in {a for a, _, _ in events}],
            )
            trainer = types["tfx.components.trainer.component.Trainer"]
            connection.executemany(
                "INSERT INTO Execution (id, type_id, last_known_state) VALUES (?, ?, 3)",
                [(n, trainer) for n in {e for _, e, _ in events}],
            )
            connection.executemany(
                "INSERT INTO Event (artifact_id, execution_id, type) VALUES (?, ?, ?)", events
            )
        connection.close()
        return mlmd_lineage.connect(path)

    return make


def chain(hops: int) -> list[tuple[int, int, int]]:
    return [e for n in range(1, hops + 1) for e in ((n, n, INPUT), (n + 1, n, OUTPUT))]


def shown(trace: Trace, limit: int | None = None, max_depth: int = 10) -> list[text_tree.TreeLine]:
    return list(text_tree.lines(trace, limit, max_depth))


def test_a_long_chain_goes_on_in_trees_of_its_own(made: Make):
    trace = made(chain(1_000)).lineage().upstream(1_001)
    lines = shown(trace)
    assert max(line.depth for line in lines) == 10
    assert len({line.node for line in lines}) == len(trace) == 2_001
    assert (
        sum(line.continues for line in lines) == sum(line.continued_below for line in lines) > 100
    )
    assert not any(line.repeated for line in lines)


def test_a_limit_takes_the_nearest_and_counts_the_rest(made: Make):
    fan = [(1, n, INPUT) for n in range(1, 501)] + [(n + 1, n, OUTPUT) for n in range(1, 501)]
    trace = made(fan).lineage().downstream(1)
    lines = shown(trace, limit=101)
    assert len(lines) == 101
    assert lines[0].hidden == 400
    assert {line.hidden for line in lines[1:]} == {1}


def test_each_node_stands_with_what_is_below_it_once(made: Make):
    # Two executions take the same artifact, and one of them takes it twice.
    diamond = [(1, 1, OUTPUT), (1, 2, INPUT), (1, 2, INPUT - 1), (1, 3, INPUT)]
    diamond += [(2, 2, OUTPUT), (3, 3, OUTPUT), (2, 4, INPUT), (3, 4, INPUT), (4, 4, OUTPUT)]
    lines = shown(made(diamond).lineage().upstream(4))
    assert [(line.depth, line.node, line.repeated) for line in lines] == [
        (0, "artifact/4", False),
        (1, "execution/4", False),
        (2, "artifact/2", False),
        (3, "execution/2", False),
        (4, "artifact/1", False),
        (5, "execution/1", False),
        (2, "artifact/3", False),
        (3, "execution/3", False),
        (4, "artifact/1", True),
    ]


def test_a_circle_ends(made: Make):
    circle = [(1, 1, INPUT), (2, 1, OUTPUT), (2, 2, INPUT), (1, 2, OUTPUT), (1, 1, OUTPUT)]
    lines = shown(made(circle).lineage().upstream(1))
    assert {line.node for line in lines} == {
        "artifact/1", "artifact/2", "execution/1", "execution/2",
    }  # fmt: skip
    assert any(line.repeated for line in lines)


def test_what_was_cut_is_marked(made: Make):
    lines = shown(made(chain(3)).lineage().upstream(4, max_hops=2))
    assert [line.node for line in lines if line.cut] == ["artifact/3"]


def test_missing_nodes_have_lines(made: Make):
    store = made(chain(2))
    with sqlite3.connect(store.location) as connection:
        connection.execute("DELETE FROM Artifact WHERE id = 2")
        connection.execute("DELETE FROM Execution WHERE id = 1")
    connection.close()
    trace = store.upstream(3)
    labels = text_tree.LineTexts(trace)
    said = [labels.indented(line) for line in shown(trace)]
    assert "    artifact/2 (of no type) (missing: no row has its id)" in said


def test_an_answer_prints_as_a_tree():
    store = mlmd_lineage.connect(terminal.DEMO_STORE)
    trace = store.upstream("artifact/4")
    folder = "/srv/tfx/pipelines/penguin-train"
    assert str(trace).splitlines() == [
        f"artifact/4 Model {folder}/Trainer/model/4 LIVE",
        "  execution/4 Trainer COMPLETE",
        f"    artifact/1 Examples {folder}/CsvExampleGen/examples/1 LIVE",
        "      execution/1 CsvExampleGen COMPLETE",
        "Complete: 2 artifacts and 2 executions.",
    ]
    assert repr(trace) == "<Trace: 2 artifacts, 2 executions, 3 events>"
    assert trace.text(limit=1).splitlines()[0].endswith("LIVE (+1 not shown)")
    cut = store.upstream("artifact/4", max_hops=1)
    assert (
        str(cut).splitlines()[-1] == "Cut by max_hops at execution/4: 1 artifact and 1 execution."
    )
    none = store.between("artifact/4", "artifact/1")
    assert str(none) == "There is no path from the first to the second."
