"""``mlmd-lineage spark``, and what is said where Spark or Java is missing."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import merged_stores
import pytest

from mlmd_lineage import cli, errors, spark
from mlmd_lineage.spark import opening, session

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support"),
]


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("star") / "archive"
    merged_stores.star(20).snapshot().save(folder)
    return folder


def said(*words: object, capsys: pytest.CaptureFixture[str]) -> str:
    words = ("mlmd-lineage", "spark", *map(str, words))
    with mock.patch.object(sys, "argv", list(words)), pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.mark.usefixtures("spark_session")
def test_impact(star: Path, capsys: pytest.CaptureFixture[str]):
    text = said("impact", star, "s3://star/data", "--format", "json", capsys=capsys)
    rows = json.loads(text)
    assert len([row for row in rows if row["kind"] == "model"]) == 20
    assert {row["start"] for row in rows} == {"artifact/1"}
    assert {row["name"] for row in rows} == {None}
    assert all(isinstance(row["hops"], int) for row in rows)


@pytest.mark.long
@pytest.mark.usefixtures("spark_session")
def test_the_other_commands(star: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text = said("components", star, "--format", "csv", capsys=capsys)
    assert text.splitlines() == ["component,nodes", "artifact/1,45"]
    found = tmp_path / "found"
    assert "Wrote" in said("upstream", star, "artifact/2", "--parquet", found, capsys=capsys)
    assert list(found.glob("*.parquet"))
    part = tmp_path / "part"
    said("snapshot", star, part, "artifact/2", "--lineage", capsys=capsys)
    assert (part / "manifest.json").exists()


@pytest.mark.long
@pytest.mark.usefixtures("spark_session")
def test_the_examples_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "docs" / "spark.md").read_text(encoding="utf-8")
    shutil.copyfile(ROOT / "mlmd_lineage" / "data" / "tfx_local.db", tmp_path / "metadata.db")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    exec(compile("".join(blocks), "spark.md", "exec"), {"__name__": "guide"})  # noqa: S102 - our own


def test_an_sqlite_file_is_one_machines(tmp_path: Path):
    path = tmp_path / "metadata.db"
    shutil.copyfile(ROOT / "mlmd_lineage" / "data" / "tfx_local.db", path)
    with pytest.raises(errors.ConfigurationError, match=r"one machine reads.*snapshot"):
        spark.connect(path)


def test_a_wrong_path_is_said_before_spark_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opening, "session_of", pytest.fail)
    with pytest.raises(errors.NotAMetadataStoreError, match=r"There is no .*nowhere: give"):
        spark.connect(tmp_path / "nowhere")


def test_pyspark_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(errors.ConfigurationError, match=r"mlmd-lineage\[spark\].*openjdk"):
        session.session_of()


def test_java_is_missing(monkeypatch: pytest.MonkeyPatch):
    sql: Any = pytest.importorskip("pyspark.sql")
    monkeypatch.setattr(sql.SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(errors.ConfigurationError, match="JAVA_HOME is /nowhere"):
        session.session_of()


def test_a_given_session_is_taken():
    given: Any = object()
    assert session.session_of(given) is given
