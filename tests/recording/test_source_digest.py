from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlmd_lineage.recording.caching.key import CacheKey
from mlmd_lineage.recording.caching.source_digest import source_parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELPERS = """
def clean(x):
    return deeper(x)

def deeper(x):
    return x

def unused(x):
    return x
"""
MODULE = '''
import functools
import logging
import os

import numpy as np

import source_helpers
from source_helpers import clean as tidy

import mlmd_lineage as ml

RATE = 0.5
LIMITS = {"low": np.arange(3), "how": tidy}
API_TOKEN = "s3cret"
LOGGER = logging.getLogger(__name__)


class Base:
    def go(self):
        return RATE


class Model(Base):
    """A model."""

    def fit(self):
        return used_by_class()


def used_by_class():
    return 1


def traced(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@traced
def decorated(x, factor=2):
    return x * factor


def factory(number):
    def inner(x):
        return x + number

    return inner


add = factory(3)


def unused():
    return 0


@ml.step(enable_cache=True)
def train(data, rate=0.1):
    """Train."""
    LOGGER.info(API_TOKEN)
    # a comment
    model = Model()
    values = [source_helpers.clean(each) for each in data]
    return decorated(values), LIMITS, add(1), os.sep, np.mean(values), model
'''


@pytest.fixture(autouse=True)
def _module_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [each for each in sys.modules if each.startswith("source_")]:
        del sys.modules[name]


def parts(folder: Path, text: str = MODULE, helpers: str = HELPERS) -> dict[str, str]:
    """Return the parts of ``train`` in a module with a text, imported anew."""
    folder = folder / str(len(list(folder.iterdir())))
    folder.mkdir()
    for name, source in (("source_helpers", helpers), ("source_steps", text)):
        path = folder / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return source_parts(sys.modules["source_steps"].train)


def test_all_of_the_users_code_that_is_called_is_found(tmp_path: Path):
    assert list(parts(tmp_path)) == [
        "constant LIMITS",
        "constant RATE",
        "constant defaults of decorated",
        "constant factory.<locals>.inner.number",
        "not compared API_TOKEN",
        "not compared LOGGER",
        "source Base",
        "source Model",
        "source decorated",
        "source factory.<locals>.inner",
        "source source_helpers.clean",
        "source source_helpers.deeper",
        "source traced",
        "source train",
        "source used_by_class",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # a comment\n", ""),
        ('    """Train."""\n', '    """Train a model."""\n'),
        ("@ml.step(enable_cache=True)", "@ml.step"),
        ("    return 0", "    return 1"),
        ('"""A model."""', '"""Another."""'),
        ('"s3cret"', '"another"'),
        (
            "[source_helpers.clean(each) for each in data]",
            "[ source_helpers.clean( each ) for each in data ]",
        ),
    ],
)
def test_what_does_not_change_a_result_changes_no_part(tmp_path: Path, old: str, new: str):
    assert old in MODULE
    assert parts(tmp_path) == parts(tmp_path, MODULE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("RATE = 0.5", "RATE = 0.25", "constant RATE"),
        ("np.arange(3)", "np.arange(4)", "constant LIMITS"),
        ("factory(3)", "factory(4)", "constant factory.<locals>.inner.number"),
        ("factor=2", "factor=3", "constant defaults of decorated"),
        ("x * factor", "x / factor", "source decorated"),
        ("    return 1\n", "    return 2\n", "source used_by_class"),
        ("return RATE", "return -RATE", "source Base"),
        ("decorated(values)", "decorated([])", "source train"),
    ],
)
def test_what_may_change_a_result_changes_its_part(
    tmp_path: Path, old: str, new: str, changed: str
):
    before, after = parts(tmp_path), parts(tmp_path, MODULE.replace(old, new))
    differ = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert changed in differ
    assert len(differ) <= 2  # a default also stands in the source


def test_code_of_other_modules_counts_unless_it_is_not_called(tmp_path: Path):
    before = parts(tmp_path)
    deeper = parts(
        tmp_path,
        helpers=HELPERS.replace("    return x\n\ndef unused", "    return -x\n\ndef unused"),
    )
    assert {n for n in before if before[n] != deeper[n]} == {"source source_helpers.deeper"}
    unused = HELPERS.rstrip().removesuffix("return x") + "return -x\n"
    assert parts(tmp_path, helpers=unused) == before


def test_code_without_a_source_is_known_by_what_was_compiled():
    scopes: list[dict[str, object]] = [{"__name__": "typed_at_a_prompt"} for _ in range(3)]
    for scope, text in zip(scopes, ("x + 1", "x + 1", "x + 2"), strict=True):
        exec(f"def train(x):\n    return {text}\n", scope)  # noqa: S102 - as at a prompt
    same, again, other = (source_parts(scope["train"]) for scope in scopes)
    assert same == again != other


def test_functions_that_call_each_other_end():
    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return n != 0 and even(n - 1)

    found = [name.rpartition(".")[2] for name in source_parts(even) if name.startswith("source")]
    assert found == ["even", "odd"]


def test_a_key_has_a_part_for_everything():
    key = CacheKey.of(
        source={"source train": "a"},
        parameters={"lr": "float:0.1", "long": "x" * 1000},
        inputs={},
        environment={"numpy": "2.1"},
    )
    assert list(key.parts) == [
        "environment numpy",
        "parameter long",
        "parameter lr",
        "source train",
    ]
    assert key.parts["parameter long"].startswith("sha256:")
    assert len(key.digest) == 64


def test_a_function_of_a_page_that_is_no_python_has_a_digest(tmp_path: Path):
    page = tmp_path / "guide.md"
    page.write_text("It's ZenML's step:\n\ndef shout(x):\n    return x.upper()\n", encoding="utf-8")
    names: dict[str, Any] = {"__name__": "guide"}
    code = "def shout(x):\n    return x.upper()\n"
    for lines in (0, 1, 2):  # wherever the page says that the function begins
        exec(compile("\n" * lines + code, str(page), "exec"), names)  # noqa: S102 - it is this page
        assert source_parts(names["shout"])
