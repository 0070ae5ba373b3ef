"""Audits: the frame, what is off, checks of one's own, and errors."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.audit.checks import registry
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> InMemoryStore:
    made = InMemoryStore()
    data = made.put_artifact("Data", uri="s3://raw/2024/a.csv")
    model = made.put_artifact("Model", uri="s3://b/model")
    made.put_execution("Trainer", inputs={"d": data}, outputs={"m": model}, state="FAILED")
    return made


def settings(folder: Path, held: Any) -> Path:
    path = folder / "audit.json"
    path.write_text(held if isinstance(held, str) else json.dumps(held), encoding="utf-8")
    return path


def test_the_worst_comes_first(store: InMemoryStore):
    found = store.audit()
    assert list(found.columns) == ["check", "severity", "node", "message", "evidence"]
    assert found["severity"].tolist() == ["error", "warning", "note", "note"]
    assert set(map(str, found.dtypes)) == {"string"}
    assert store.audit().equals(found)
    assert InMemoryStore().audit().dtypes.equals(found.dtypes)


def test_what_is_off_is_said_with_its_reason(store: InMemoryStore, tmp_path: Path):
    path = settings(tmp_path, {"off": {"missing_digest": "Ours has none."}})
    found = store.audit(settings=path)
    assert "missing_digest" not in set(found["check"])
    assert found.attrs["off"] == {"missing_digest": "Ours has none."}
    report = store.audit_report(settings=path)
    assert "The check missing_digest is off: Ours has none." in report.notes()
    assert report.to_dict()["off"] == {"missing_digest": "Ours has none."}


def test_what_a_file_declares_external_has_an_origin(store: InMemoryStore, tmp_path: Path):
    path = settings(tmp_path, {"external": {"s3://raw/*": "Delivered each night."}})
    report = store.audit_report(settings=path)
    assert "no_producer" not in set(report.frame["check"])
    assert any("Delivered each night." in note for note in report.notes())


def test_the_project_around_is_asked(store: InMemoryStore, config_folder: Path):
    assert config_folder
    from mlmd_lineage.stacks.layers import create_project

    project = create_project(config_folder.parent / "here")
    settings(project, {"off": {"no_producer": "Known."}})
    assert store.audit().attrs["off"] == {"no_producer": "Known."}


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ("{", "is no JSON"),
        ([], "is an object with 'off'"),
        ({"of": {}}, "is an object with 'off'"),
        ({"off": ["no_producer"]}, "'off' gives each name a reason"),
        ({"off": {"no_producer": " "}}, "'off' gives each name a reason"),
        ({"external": {"s3://*": 3}}, "'external' gives each name a reason"),
        ({"off": {"no_producers": "x"}}, "Did you mean 'no_producer'"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(
    held: Any, told: str, store: InMemoryStore, tmp_path: Path
):
    with pytest.raises(errors.ConfigurationError, match=told):
        store.audit(settings=settings(tmp_path, held))


def test_a_file_that_is_not_there_is_refused(store: InMemoryStore, tmp_path: Path):
    with pytest.raises(errors.ConfigurationError, match="There is no audit file"):
        store.audit(settings=tmp_path / "none.json")


def test_errors_suggest(store: InMemoryStore):
    with pytest.raises(errors.NotFoundError, match="Did you mean 'cycle'"):
        store.audit(only=["cycl"])
    with pytest.raises(errors.NotFoundError, match="looks at bytes"):
        store.audit(only=["bytes_missing"])
    with pytest.raises(errors.NotFoundError, match="artifact/77"):
        store.audit("artifact/77")
    with pytest.raises(errors.ConfigurationError, match="stuck_after"):
        store.audit(stuck_after=dt.timedelta(-1))


def test_what_runs_is_not_stuck_yet(store: InMemoryStore):
    store.put_execution("Trainer", state="RUNNING")
    age = dt.timedelta(days=365 * 100)
    assert len(store.audit(only="stuck_running")) == 1
    assert store.audit(only="stuck_running", stuck_after=age).empty
    assert store.audit(only="phantom", stuck_after=age).empty


def find_unnamed(data: ml.AuditData) -> Iterator[ml.Observation]:
    names = data.snapshot["Artifact"].select(["id", "name"]).to_pylist()
    for row in names:
        if row["name"] is None:
            yield ml.Observation(f"artifact/{row['id']}", "it has no name")


UNNAMED = ml.AuditCheck("unnamed", ml.Severity.NOTE, "Why.", "How.", find_unnamed)


def test_a_check_of_ones_own(store: InMemoryStore):
    unregister = ml.register_check(UNNAMED)
    try:
        found = store.audit(only="unnamed")
        assert found["node"].tolist() == ["artifact/1", "artifact/2"]
        with pytest.raises(errors.ConfigurationError, match="already"):
            ml.register_check(UNNAMED)
    finally:
        unregister()
    assert "unnamed" not in {check.name for check in registry.checks()}


def test_what_is_no_check_is_refused():
    with pytest.raises(errors.ConfigurationError, match="is no check"):
        ml.register_check("cycle")  # type: ignore[arg-type]  # the test is that it is refused
    odd = ml.AuditCheck("Not A Name", ml.Severity.NOTE, "", "", find_unnamed)
    with pytest.raises(errors.ConfigurationError, match="lower case"):
        ml.register_check(odd)


def test_a_check_that_fails_is_named_as_yours(store: InMemoryStore):
    def find(data: ml.AuditData) -> Iterator[ml.Observation]:
        yield ml.Observation(f"artifact/{1 // len(data.settings.off)}", "never")

    unregister = ml.register_check(ml.AuditCheck("broken", ml.Severity.NOTE, "", "", find))
    try:
        with pytest.raises(errors.ConfigurationError, match="'broken' failed: ZeroDivisionError"):
            store.audit()
    finally:
        unregister()


class Point:
    """An entry point of a package of somebody else's."""

    def __init__(self, name: str, loaded: object) -> None:
        self.name, self.value, self._loaded = name, f"theirs:{name}", loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.mark.parametrize(
    ("loaded", "told"),
    [
        (UNNAMED, None),
        (ValueError("no"), "cannot be loaded from 'theirs:point'"),
        (3, "is no check"),
        (registry.BUILT_IN[0], "Two checks are called"),
    ],
)
def test_checks_of_other_packages(
    loaded: object, told: str | None, store: InMemoryStore, monkeypatch: pytest.MonkeyPatch
):
    def points(*, group: str) -> list[Point]:
        return [Point("point", loaded)] if group == registry.GROUP else []

    monkeypatch.setattr(importlib.metadata, "entry_points", points)
    registry._installed.cache_clear()
    try:
        if told is None:
            assert len(store.audit(only="unnamed")) == 2
        else:
            with pytest.raises(errors.ConfigurationError, match=told):
                store.audit()
    finally:
        registry._installed.cache_clear()


ROW = re.compile(r"^\| `(\w+)` \| (error|warning|note) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_the_guide_lists_every_check():
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    listed = ROW.findall(text)
    expected = [(c.name, c.severity.value, c.reason, c.remedy) for c in registry.BUILT_IN]
    assert sorted(listed) == sorted(expected)


def test_the_worst_comes_first_in_every_form():
    store = InMemoryStore()
    for _ in range(40):
        model = store.put_artifact("Model", state=None)
        store.put_execution(
            "Trainer", state="RUNNING", outputs={"m": model}, time=1_600_000_000_000
        )
    report = store.audit_report()
    found = report.to_dict()["findings"]
    assert {one["check"] for one in found} >= {"stuck_running", "phantom"}
    assert [one["node"] for one in found] == report.frame["node"].tolist()
    assert [one["severity"] for one in found] == sorted(
        (o["severity"] for o in found), reverse=True
    )
    page = report._repr_html_()
    assert "execution/1" in page
    assert f"The worst 60 are shown; frame has all {len(found)}." in page
