"""What every test may ask for: real database servers and real stores."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import browser as system_browser
import pytest
import servers
import spark_session as system_spark

from mlmd_lineage import _proto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

ROOT = Path(__file__).resolve().parent.parent

MISSING = pytest.StashKey[dict[str, str]]()
"""What this machine lacks, by the name of the tests that were skipped for it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--no-servers``."""
    parser.addoption("--no-servers", action="store_true", help="skip what needs a database server")


def pytest_configure(config: pytest.Config) -> None:
    """Let a terminated session stop its servers, as an interrupted one does.

    Whoever starts the tests in the background may have them ignore Ctrl-C, and with them the
    programs that they start and interrupt.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[MISSING] = {}


@pytest.hookimpl(trylast=True)  # what -m leaves out is not skipped
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what is marked ``native`` last, or skip it where there is no ``ml_metadata``.

    Once the library is loaded, every SQLite file is read by another process.
    """
    items.sort(key=_is_native)
    native = [item for item in items if _is_native(item)]
    if native and importlib.util.find_spec("ml_metadata") is None:
        reason = "ml_metadata is not installed"
        config.stash[MISSING]["native"] = reason
        for item in native:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs a browser as ``slow``."""
    if "browser" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slow)


def _is_native(item: pytest.Item) -> bool:
    return item.get_closest_marker("native") is not None


@pytest.fixture(autouse=True)
def _no_native_library(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have a test that is not marked ``native`` load no ``ml_metadata``."""
    if _is_native(request.node):
        yield
        return
    before = "ml_metadata" in sys.modules
    with _proto.only_ours():
        yield
    assert before or "ml_metadata" not in sys.modules, "mark this test as native"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a process of pytest-xdist's lacks to the one that it works for."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = session.config.stash[MISSING]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process of pytest-xdist's lacks."""
    node.config.stash[MISSING].update(getattr(node, "workeroutput", {}).get("missing", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line what was skipped for want of something, and why."""
    missing = config.stash[MISSING]
    if missing:
        told = "; ".join(f"{tests} tests skipped: {why}" for tests, why in missing.items())
        terminalreporter.write_line(f"mlmd_lineage: {told}", yellow=True)


@pytest.fixture(scope="session", autouse=True)
def _no_registrations_of_yours(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the tests a configuration folder of their own, and those that they start."""
    for name in list(os.environ):
        if name.startswith("MLMD_LINEAGE_") and name != "MLMD_LINEAGE_STORES":
            del os.environ[name]
    os.environ["MLMD_LINEAGE_CONFIG"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a configuration folder for one test, which runs in a folder of its own."""
    folder = tmp_path / "config"
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(folder))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every user may enter; pytest closes its own, each time it starts."""
    with tempfile.TemporaryDirectory(prefix="mlmd-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if not all(parent.stat().st_mode & 0o001 for parent in folder.parents):
            pytest.skip("other users may not enter the folder for temporary files")
        yield folder


@pytest.fixture(scope="session")
def mariadb_server(pytestconfig: pytest.Config) -> Iterator[servers.Server]:
    """Start a MariaDB server without TLS, once for the session."""
    yield from _started(pytestconfig, "MySQL", servers.mariadb())


@pytest.fixture(scope="session")
def mariadb_tls_server(pytestconfig: pytest.Config) -> Iterator[servers.Server]:
    """Start a MariaDB server with TLS, and with ``ca`` and ``other_ca``."""
    yield from _started(pytestconfig, "MySQL", servers.mariadb(tls=True))


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> Iterator[servers.Server]:
    """Start a PostgreSQL server without TLS, once for the session."""
    yield from _started(pytestconfig, "PostgreSQL", servers.postgresql())


@pytest.fixture(scope="session")
def postgresql_tls_server(pytestconfig: pytest.Config) -> Iterator[servers.Server]:
    """Start a PostgreSQL server with TLS, and with ``ca`` and ``other_ca``."""
    yield from _started(pytestconfig, "PostgreSQL", servers.postgresql(tls=True))


def _started(
    config: pytest.Config, tests: str, starting: AbstractContextManager[servers.Server]
) -> Iterator[servers.Server]:
    """Run a server, or note and say why it cannot be had."""
    if config.option.no_servers:
        config.stash[MISSING][tests] = reason = "--no-servers was given"
        pytest.skip(f"{tests}: {reason}")
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(starting)
        except servers.MissingServerError as error:
            config.stash[MISSING][tests] = str(error)
            pytest.skip(f"{tests}: {error}")
        yield server


@pytest.fixture(scope="session")
def spark_session(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a Spark session on two cores, started once for the session."""
    try:
        return system_spark.started(tmp_path_factory.mktemp("spark"))
    except system_spark.MissingSparkError as error:
        pytestconfig.stash[MISSING]["Spark"] = str(error)
        pytest.skip(f"Spark: {error}")


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[system_browser.Browser]:
    """Run the browser of the system, once for the session; see the module ``browser``."""
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(system_browser.running())
        except system_browser.MissingBrowserError as error:
            pytestconfig.stash[MISSING]["browser"] = str(error)
            pytest.skip(f"browser: {error}")
        yield started


@pytest.fixture(scope="session")
def shared_stores(pytestconfig: pytest.Config) -> Path:
    """Return the folder of real stores, which is no part of the repository. Never write there.

    It is ``$MLMD_LINEAGE_STORES``, or ``shared/stores`` beside the checkout.
    """
    named = os.environ.get("MLMD_LINEAGE_STORES")
    folder = Path(named) if named else ROOT.parent / "shared" / "stores"
    if not folder.is_dir():
        reason = "no shared stores (MLMD_LINEAGE_STORES names their folder)"
        pytestconfig.stash[MISSING]["real-store"] = reason
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def shared_cases(shared_stores: Path) -> Path:
    """Return the folder of small inputs that once went wrong, beside that of the real stores."""
    folder = shared_stores.parent / "cases"
    if not folder.is_dir():
        pytest.skip("no shared cases beside the shared stores")
    return folder


@pytest.fixture
def shared_store(shared_stores: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies one of the real stores and returns the copy's path."""

    def copy(name: str) -> Path:
        target = tmp_path / Path(name).name
        shutil.copyfile(shared_stores / name, target)
        return target

    return copy
