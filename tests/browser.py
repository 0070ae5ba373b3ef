"""The browser of the system, Debian's chromium, which opens what is made for people.

A test that asks for the fixture ``browser`` gets one browser for the session, or is skipped with
the reason where there is none::

    def test_it_shows(browser: Browser, tmp_path: Path):
        seen = browser.visit(tmp_path / "page.html", lambda page: page.title())
        assert seen.found == "A title"
        assert seen.wrong == []

Pages reach no network. What drives the browser has an event loop that goes on running, so it lives
in a thread of its own: other tests run loops in this one.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.util
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VARIABLE = "MLMD_LINEAGE_BROWSER"
"""The variable that names another browser than the one found."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",  # it cannot have one where the tests run as root
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL in software; new releases of playwright ask for it too
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE = 120_000  # milliseconds, for a machine that does much else


class MissingBrowserError(Exception):
    """No browser, or nothing that drives one; the message says what is missing."""


class Visit(NamedTuple):
    """What came of a visit: what was looked for, and what went wrong on the page.

    Attributes:
        found: What the function returned that looked at the page.
        wrong: Errors, messages on the console, dialogs, and requests for anything else.
    """

    found: Any
    wrong: list[str]


class Browser:
    """A running browser."""

    def __init__(self, thread: concurrent.futures.Executor, browser: Any) -> None:
        self._thread = thread
        self._browser = browser

    def visit(self, page: Path | str, look: Callable[[Any], Any], **options: Any) -> Visit:
        """Open a file or an address of this machine, and look at its page.

        Args:
            page: The file, or the address, such as that of a server of the test's own.
            look: Gets the page, as ``playwright.sync_api`` has it; it runs in another thread.
            options: Those of playwright's ``new_context()``, such as ``color_scheme``.
        """
        return self._thread.submit(self._visit, page, look, options).result()

    def _visit(
        self, target: Path | str, look: Callable[[Any], Any], options: dict[str, Any]
    ) -> Visit:
        url = target if isinstance(target, str) else target.resolve().as_uri()
        wrong: list[str] = []
        context = self._browser.new_context(**options)
        try:
            page = context.new_page()
            page.set_default_timeout(_PATIENCE)
            page.on("console", lambda message: wrong.append(f"console: {message.text}"))
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("dialog", lambda dialog: _dismissed(dialog, wrong))
            page.on("request", lambda request: _noted(request.url, url, wrong))
            page.goto(url, wait_until="load")
            return Visit(look(page), wrong)
        finally:
            context.close()


def _dismissed(dialog: Any, wrong: list[str]) -> None:
    wrong.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _noted(asked: str, url: str, wrong: list[str]) -> None:
    """Note a request that leads away from a file, or from a server of the test's own."""
    inside = asked.startswith(url) if url.startswith("http") else asked.partition("#")[0] == url
    if not inside and not asked.startswith(("data:", "blob:")):
        wrong.append(f"request: {asked}")


def program() -> str:
    """Return the path of the browser.

    Raises:
        MissingBrowserError: There is none.
    """
    if importlib.util.find_spec("playwright") is None:
        message = "playwright is not installed (pip install playwright)"
        raise MissingBrowserError(message)
    named = os.environ.get(VARIABLE)
    found = named or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        message = f"no browser (Debian: chromium; {VARIABLE} names another)"
        raise MissingBrowserError(message)
    return found


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """Run a browser.

    Raises:
        MissingBrowserError: There is none.
    """
    path = program()
    from playwright.sync_api import sync_playwright

    opened: list[Any] = []

    def start() -> Any:
        opened.append(sync_playwright().start())
        return opened[0].chromium.launch(
            executable_path=path, headless=True, args=list(_OPTIONS), timeout=_PATIENCE
        )

    def stop(browser: Any) -> None:
        browser.close()
        opened[0].stop()

    with concurrent.futures.ThreadPoolExecutor(1, "browser") as thread:
        started = thread.submit(start).result()
        try:
            yield Browser(thread, started)
        finally:
            thread.submit(stop, started).result()
