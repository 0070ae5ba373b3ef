"""The shape of the project: what lies where, who may import whom, what an import costs."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mlmd_lineage"

TOP_LEVEL = [
    ".ci/run",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
    "benchmarks",
    "constraints-run.txt",
    "constraints.txt",
    "docs",
    "fuzz",
    "mlmd_lineage/py.typed",
    "notebooks",
    "proto",
    "pyproject.toml",
    "scripts/demo",
    "scripts/fuzz",
    "scripts/lock",
    "scripts/sbom",
    "scripts/test",
    "scripts/test-debian13",
    "scripts/test-oldest",
    "scripts/test-spark",
    "scripts/test-tfx",
    "scripts/wheels",
    "setup.cfg",
    "setup.py",
    "tests",
]

SNAPSHOT = {
    "deadline",
    "untrusted_text",
    "parquet_footer",
    "snapshot",
    "snapshot.arrays",
    "snapshot.enums",
    "snapshot.tables",
    "snapshot.values",
}
# Who may import whom, type hints included. Each key is a module or a folder of the package, and
# "__init__" its public face; the longest key that fits a module is the one that counts. Data
# flows one way: a part imports only those above it.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "deadline": {"errors"},
    "termination": set(),
    "parallel_tasks": {"deadline"},
    "memory": set(),
    "compiled": set(),
    "untrusted_text": set(),
    "parquet_footer": set(),
    "_proto": {"errors"},
    "config": {"errors", "termination"},
    "stores": {"errors", "_proto", "config"},
    "kubernetes": {"errors", "config", "stores"},
    "snapshot.enums": set(),
    "snapshot.tables": {"errors", "snapshot.arrays", "snapshot.enums"},
    "snapshot.values": {"snapshot.arrays"},
    "snapshot.arrays": set(),
    "readers.base": {"snapshot.tables"},
    "snapshot": {
        "deadline",
        "errors",
        "memory",
        "parallel_tasks",
        "termination",
        "untrusted_text",
        "parquet_footer",
        "stores",
        "snapshot.arrays",
        "snapshot.enums",
        "snapshot.tables",
        "snapshot.values",
        "readers.base",
    },
    "readers.database_schema": {
        "errors",
        "snapshot",
        "snapshot.arrays",
        "snapshot.tables",
    },
    "readers.sql": {
        "deadline",
        "readers.database_schema",
        "errors",
        "readers.base",
        "snapshot",
        "snapshot.arrays",
        "snapshot.enums",
        "snapshot.tables",
    },
    "readers": {
        "deadline",
        "memory",
        "termination",
        "errors",
        "_proto",
        "parquet_footer",
        "stores",
        "readers.base",
        "readers.sql",
        "readers.database_schema",
        "snapshot",
        "snapshot.arrays",
        "snapshot.enums",
        "snapshot.tables",
        "snapshot.values",
    },
    "filters": {
        *SNAPSHOT,
        "errors",
        "readers",
        "readers.base",
        "readers.database_schema",
        "readers.sql",
    },
    "lineage": {
        *SNAPSHOT,
        "errors",
        "compiled",
        "deadline",
        "memory",
        "readers.base",
        "filters",
    },
    "record_format": {"errors", "untrusted_text"},
    "dialects": {*SNAPSHOT, "errors", "config", "record_format"},
    "materializers": {"errors", "config"},
    "kubeflow": {*SNAPSHOT, "errors", "termination", "stores", "readers", "readers.base"},
    "post_execution": {
        *SNAPSHOT,
        "errors",
        "config",
        "readers.base",
        "lineage",
        "dialects",
        "materializers",
        "record_format",
        "kubeflow",
    },
    "native": {"errors", "stores", "readers.base"},
    "orchestration": {"errors"},
    "stacks": {"errors", "config", "stores", "orchestration"},
    "writing": {"errors", "_proto", "compiled", "deadline", "stores", "readers"},
    "audit": {
        *SNAPSHOT,
        "errors",
        "termination",
        "compiled",
        "config",
        "stores",
        "stacks",
        "readers",
        "readers.base",
        "lineage",
        "dialects",
        "post_execution",
    },
    "store_lineage": {"deadline", "readers.base", "kubeflow", "lineage", "post_execution"},
    "store_kubeflow": {"deadline", "stores", "snapshot.tables", "kubeflow", "store_lineage"},
    "store_runs": {"deadline", "store_kubeflow", "lineage", "post_execution"},
    "store_audit": {"deadline", "lineage", "audit", "store_runs"},
    "recording": {
        *SNAPSHOT,
        "errors",
        "termination",
        "config",
        "readers.base",
        "record_format",
        "materializers",
        "stacks",
        "writing",
    },
    "explorer": {
        *SNAPSHOT,
        "deadline",
        "errors",
        "lineage",
        "dialects",
        "post_execution",
        "record_format",
    },
    "store": {
        *SNAPSHOT,
        "explorer",
        "deadline",
        "errors",
        "_proto",
        "stores",
        "readers",
        "writing",
        "recording",
        "readers.base",
        "filters",
        "lineage",
        "post_execution",
        "audit",
        "native",
        "stacks",
        "store_audit",
        "kubeflow",
        "store_kubeflow",
        "store_lineage",
        "store_runs",
    },
    "pipelines": {
        "errors",
        "readers.base",
        "config",
        "stores",
        "materializers",
        "post_execution",
        "stacks",
        "orchestration",
        "recording",
        "record_format",
        "store",
    },
    "testing": {*SNAPSHOT, "errors", "_proto", "stores", "readers.base", "store"},
    "__init__": {
        *SNAPSHOT,
        "errors",
        "kubeflow",
        "config",
        "testing",
        "readers.base",
        "audit",
        "materializers",
        "pipelines",
        "recording",
        "post_execution",
        "dialects",
        "stores",
        "lineage",
        "stacks",
        "store",
        "writing",
    },
    "server": {
        *SNAPSHOT,
        "deadline",
        "errors",
        "_proto",
        "config",
        "stores",
        "readers",
        "readers.base",
        "filters",
        "lineage",
        "writing",
        "store",
    },
    "spark": {
        *SNAPSHOT,
        "errors",
        "stores",
        "readers",
        "readers.base",
        "readers.database_schema",
        "lineage",
        "dialects",
        "post_execution",
    },
    "demo_pipeline": {"__init__"},
    "cli": {
        *SNAPSHOT,
        "__init__",
        "demo_pipeline",
        "orchestration",
        "pipelines",
        "post_execution",
        "errors",
        "termination",
        "explorer",
        "deadline",
        "kubeflow",
        "audit",
        "config",
        "stores",
        "lineage",
        "stacks",
        "store",
        "writing",
        "recording",
        "server",
        "spark",
    },
    "__main__": {"cli"},
}

# What `import mlmd_lineage` must leave alone: slow to load, or not on every machine.
NOT_EAGER = {
    "google.protobuf",
    "grpc",
    "kubernetes",
    "lark",
    "ml_metadata",
    "networkx",
    "numpy",
    "pandas",
    "pyarrow",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    """Name a module of the package with dots, the package itself ``__init__``."""
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


class Contents(NamedTuple):
    """What the tests ask of the source of a module."""

    imports: frozenset[str]
    """The modules of the package that it imports, inside functions too."""
    classes: tuple[str, ...]


@functools.cache  # parsing all of them takes seconds
def contents(module: Path) -> Contents:
    """Parse a module."""
    package = ("mlmd_lineage", *module.relative_to(PACKAGE).parent.parts)
    imported: set[str] = set()
    classes = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            classes.append(node.name)
        elif isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*start, *([node.module] if node.module else [])])
            imported.update(f"{origin}.{alias.name}" for alias in node.names)
    parts = [dotted.split(".") for dotted in imported]
    ours = frozenset(nearest(names) for first, *names in parts if first == "mlmd_lineage")
    return Contents(ours, tuple(classes))


def nearest(parts: list[str]) -> str:
    """Name the module that ``parts`` lead to; what follows are names inside it."""
    for length in range(len(parts), 0, -1):
        path = PACKAGE.joinpath(*parts[:length])
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
            return ".".join(parts[:length])
    return "__init__"


def part_of(name: str) -> str:
    """Return the longest key of ``MAY_IMPORT`` that a module's name begins with."""
    parts = name.split(".")
    keys = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    part = next((key for key in keys if key in MAY_IMPORT), None)
    assert part is not None, f"add {parts[0]} to MAY_IMPORT"
    return part


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_it_lies_where_the_design_says(name: str):
    assert (ROOT / name).exists()


@pytest.mark.parametrize("name", [name for name in TOP_LEVEL if name.startswith((".ci", "scr"))])
def test_scripts_run(name: str):
    assert os.access(ROOT / name, os.X_OK)


def test_the_parts_form_no_circle():
    graphlib.TopologicalSorter(MAY_IMPORT).prepare()


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_imports_go_one_way(module: Path):
    part = part_of(name_of(module))
    imported = contents(module).imports
    assert {part_of(name) for name in imported} - {part} <= MAY_IMPORT[part]


def test_the_modules_form_no_circle():
    graph = {
        name_of(module): contents(module).imports - {name_of(module)}
        for module in modules()
        if module != PACKAGE / "__init__.py"  # it names the others for its readers' sake
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_importing_the_package_loads_nothing_heavy():
    loaded = run_python("import sys, mlmd_lineage; print(*sys.modules, sep='\\n')").split()
    assert NOT_EAGER.isdisjoint(loaded)


def test_the_public_face_is_sorted_and_whole():
    face: Any = importlib.import_module("mlmd_lineage")
    assert list(face.__all__) == sorted(set(face.__all__))
    assert set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert getattr(face, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = face.no_such_name


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[(`?)([^]`]+)`?\]\(([^)#]+)\)")
BOX = re.compile(r'(\w+)\["([^"]+)"\]')
ARROW = re.compile(r'(\w+)(?:\["[^"]+"\])? --> (\w+)')


def drawn() -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Return the box of each part that is drawn, and the arrows between boxes."""
    drawing = ARCHITECTURE.partition("```mermaid")[2].partition("```")[0]
    boxes = {
        part: box for box, label in BOX.findall(drawing) for part in label.split("<br>")[0].split()
    }
    return boxes, set(ARROW.findall(drawing))


def box_of(key: str, boxes: dict[str, str]) -> str:
    """Return the box in which a key of ``MAY_IMPORT`` is drawn: its own, or that of its folder."""
    found = boxes.get(key) or boxes.get(key.partition(".")[0])
    assert found is not None, f"draw {key} in docs/architecture.md"
    return found


def test_the_drawing_shows_who_may_import_whom():
    boxes, arrows = drawn()
    allowed = {
        (box_of(key, boxes), box_of(other, boxes))
        for key, others in MAY_IMPORT.items()
        for other in others
    }
    allowed = {(one, other) for one, other in allowed if one != other}
    assert arrows <= allowed
    leads_to: dict[str, set[str]] = {}
    for box in graphlib.TopologicalSorter(
        {box: {other for one, other in arrows if one == box} for box in boxes.values()}
    ).static_order():
        near = {other for one, other in arrows if one == box}
        leads_to[box] = near.union(*(leads_to[other] for other in near))
    assert {(one, other) for one, other in allowed if other not in leads_to[one]} == set()


def test_the_architecture_describes_every_part():
    table = ARCHITECTURE.partition("| part |")[2].partition("\n\n")[0]
    described = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(described) == sorted({key.partition(".")[0] for key in MAY_IMPORT})


@pytest.mark.parametrize("link", sorted(set(LINK.findall(ARCHITECTURE))), ids=" ".join)
def test_the_architecture_names_what_there_is(link: tuple[str, str, str]):
    code, name, target = link
    path = (ROOT / "docs" / target).resolve()
    assert path.exists()
    if code and path.suffix == ".py" and "/" not in name and name != path.stem:
        text = path.read_text(encoding="utf-8")
        assert re.search(rf"^(class|def) {name}\b|^{name}\b.* = ", text, re.MULTILINE)


def test_no_folder_has_very_many_modules():
    counts = Counter(module.parent for module in modules())
    assert {folder: count for folder, count in counts.items() if count >= 25} == {}


def test_the_architecture_says_why_a_module_is_long():
    reasons = ARCHITECTURE.partition("## Its size")[2]
    lengths = {module: len(module.read_text(encoding="utf-8").splitlines()) for module in modules()}
    names = [
        module.relative_to(PACKAGE).as_posix() for module in modules() if lengths[module] > 400
    ]
    assert [name for name in names if f"`{name}`" not in reasons] == []


def test_no_two_classes_have_one_name():
    names = [name for module in modules() for name in contents(module).classes]
    assert [name for name, count in Counter(names).items() if count > 1] == []
