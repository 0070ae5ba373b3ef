"""What contributors and releases rely on: one version, lower bounds, locked releases, commands."""

from __future__ import annotations

import configparser
import importlib.util
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mlmd_lineage

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("CONTRIBUTING.md", "RELEASING.md", "SECURITY.md")
LOCKS = {"constraints-run.txt": (), "constraints.txt": ("test", "dev")}
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"))
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_machine": machine,
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system],
        "os_name": "nt" if system == "win32" else "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for python in PYTHONS
    for system, machine in PLATFORMS
]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def lower_bounds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_low", ROOT / "scripts" / "_lower_bounds.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def requirements(text: str) -> list[Requirement]:
    lines = (line.strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def wanted(setup_cfg: configparser.ConfigParser, extras: tuple[str, ...]) -> list[Requirement]:
    """Return what the package, its build and some of its extras require."""
    build = re.search(r"^requires = \[(.*)\]$", read("pyproject.toml"), re.MULTILINE)
    assert build is not None
    texts = [setup_cfg["options"]["install_requires"], *re.findall(r'"(.*?)"', build[1])]
    texts += [setup_cfg["options.extras_require"][extra] for extra in extras]
    return requirements("\n".join(texts))


def locked(name: str) -> list[Requirement]:
    pins = read(name).replace("\\\n", " ").splitlines()
    return [Requirement(pin.split(" --hash=")[0].strip()) for pin in pins if pin[0] != "#"]


def holds(requirement: Requirement, environment: dict[str, Any]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def test_the_version_stands_in_one_place(setup_cfg: configparser.ConfigParser):
    assert setup_cfg["metadata"]["version"] == "attr: mlmd_lineage.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", mlmd_lineage.__version__)
    # Setuptools reads a plain assignment without importing the package.
    assert f'\n__version__ = "{mlmd_lineage.__version__}"\n' in read("mlmd_lineage/__init__.py")
    assert f"\n## {mlmd_lineage.__version__}" in read("CHANGELOG.md")


def test_every_python_is_named(setup_cfg: configparser.ConfigParser):
    named = re.findall(r"Python :: (3\.\d+)$", setup_cfg["metadata"]["classifiers"], re.MULTILINE)
    assert named == list(PYTHONS)
    assert setup_cfg["options"]["python_requires"] == f">={PYTHONS[0]}"
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in read("README.md")


@pytest.mark.parametrize("extras", [[], ["test"], ["plot", "secrets", "serve"]], ids=str)
def test_every_lower_bound_is_tested(
    setup_cfg: configparser.ConfigParser, lower_bounds: ModuleType, extras: list[str]
):
    texts = [setup_cfg["options"]["install_requires"]]
    texts += [setup_cfg["options.extras_require"][extra] for extra in extras]
    expected = set()
    for requirement in requirements("\n".join(texts)):
        (bound,) = [part.version for part in requirement.specifier if part.operator == ">="]
        expected.add((requirement.name, bound, str(requirement.marker)))
    constraints = [Requirement(line) for line in lower_bounds.lower_bounds(extras)]
    found = [(one.name, str(one.specifier)[2:], str(one.marker)) for one in constraints]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_an_upper_bound_and_a_name_without_any_are_understood(
    lower_bounds: ModuleType, tmp_path: Path
):
    path = tmp_path / "setup.cfg"
    lines = ["a>=1,<2", "# why", "b", "c[x]>=3; os_name == 'nt'"]
    path.write_text("\n    ".join(["[options]\ninstall_requires =", *lines]))
    assert lower_bounds.lower_bounds([], path) == ["a==1", "c==3; os_name == 'nt'"]


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_locked_has_hashes_and_names_no_host(name: str):
    text = read(name)
    assert "://" not in text
    assert not re.findall(r"^-", text, re.MULTILINE)  # no options: index, find-links
    pins = [pin for pin in text.replace("\\\n", " ").splitlines() if not pin.startswith("#")]
    assert pins
    for pin in pins:
        assert re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", pin), pin


@pytest.mark.parametrize("name", LOCKS)
def test_all_that_is_needed_is_locked(setup_cfg: configparser.ConfigParser, name: str):
    pins = locked(name)
    needs = wanted(setup_cfg, LOCKS[name])
    for environment in ENVIRONMENTS:
        versions: dict[str, str] = {}
        for pin in pins:
            if holds(pin, environment):
                key = canonicalize_name(pin.name)
                assert key not in versions, f"{key} twice where {environment}"
                versions[key] = str(pin.specifier).removeprefix("==")
        for need in needs:
            if holds(need, environment):
                version = versions.get(canonicalize_name(need.name))
                assert version is not None, f"{need} is not locked: run scripts/lock"
                assert need.specifier.contains(version), f"{need}, locked {version}: scripts/lock"


def test_what_runs_is_locked_as_it_is_tested():
    tested = {(pin.name, str(pin.specifier)) for pin in locked("constraints.txt")}
    assert {(pin.name, str(pin.specifier)) for pin in locked("constraints-run.txt")} <= tested


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page: str):
    text = read(page)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / link).exists(), link
    # Made by the scripts, or outside of the repository.
    made = ("dist/", "../", ".venv")
    for name in re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:md|txt|cfg))`", text):
        places = (ROOT, ROOT / "mlmd_lineage", ROOT / "mlmd_lineage" / "lineage")
        assert name.startswith(made) or any((at / name).exists() for at in places), name


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_that_a_page_names_exist(setup_cfg: configparser.ConfigParser, page: str):
    text = read(page)
    extras = ("test", "dev")
    tools = {need.name for need in wanted(setup_cfg, extras)} | {"pip", "venv"}
    for module in re.findall(r"-m ([a-z_]+) ", text):
        assert module in tools, module
    for path in re.findall(r"\btests/[\w./]+\w", text):
        assert (ROOT / path).exists(), path
    release_tools = re.search(r"^RELEASE_TOOLS='(.*)'$", read("scripts/_env"), re.MULTILINE)
    assert release_tools is not None
    for tool in re.findall(r"\.venv-release/bin/(\w+)", text):
        assert tool in release_tools[1].split(), tool


def test_hooks_are_local_and_run_what_the_tests_run():
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-check", "ruff-format", "mypy"]
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        command = hook["entry"].removesuffix(" --force-exclude")
        assert command.startswith(".venv/bin/python -m ")
        assert command in read("scripts/test"), command


def test_the_functions_that_wheels_are_tried_for_are_in_the_sources():
    tried = re.findall(
        r'^    \("([\w/]+)", "(_\w+)", "(\w+)"\),$', read("scripts/wheels"), re.MULTILINE
    )
    sources = {
        path.relative_to(ROOT / "mlmd_lineage") for path in (ROOT / "mlmd_lineage").rglob("*.c")
    }
    assert {Path(folder) / f"{name}.c" for folder, name, _ in tried} == sources
    for folder, name, function in tried:
        assert re.search(
            rf"^EXPORTED \w+ {function}\(", read(f"mlmd_lineage/{folder}/{name}.c"), re.MULTILINE
        )


def test_packages_are_installed_before_there_is_an_environment(tmp_path: Path) -> None:
    """In a fresh clone nothing may wait for .venv, which is made meanwhile."""
    (function,) = re.findall(
        r"^install_packages\(\) \{\n.*?^\}\n", read("scripts/test"), re.MULTILINE | re.DOTALL
    )
    script = (
        "set -uo pipefail\n"
        "say() { printf '%s\\n' \"$*\"; }\n"
        "missing_packages() { printf 'one two '; }\n"
        "apt_update() { true; }\n"
        'apt_install() { printf "got %s\\n" "$1"; [ "$1" != "$REFUSED" ]; }\n'
        f"{function}install_packages; install_packages\n"
    )

    def run(refused: str) -> list[str]:
        return subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "REFUSED": refused},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()

    assert run("none") == 2 * ["installing one two", "got one", "got two"]
    # Where one could not be installed, the next run does not try again.
    assert run("one") == ["installing one two", "got one", "got two"]
