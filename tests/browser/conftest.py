"""Chromium, and the application listening on a port of its own."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from tests.browser.person import Person
from tests.pages.conftest import admin, browser, collected, every_page, link_to, signed_in, work

__all__ = ["admin", "browser", "collected", "every_page", "link_to", "signed_in", "work"]

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
"""Debian's, without windows, at half the time for a page; `.ci/browser` fetches it."""

QUIET = (
    "--no-sandbox",  # root's browser has none; what it is shown is ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

PATIENCE = 10_000
"""Milliseconds until something that does not appear is missing."""


_NONE = f"NO BROWSER: there is no {CHROMIUM}, so what tests/browser holds is NOT TESTED"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser with an empty profile, which it forgets."""
    if not CHROMIUM.exists():
        pytest.skip(_NONE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@dataclass(frozen=True)
class Site:
    """Where the application listens, and pages from before that it shows again."""

    url: str
    again: dict[str, Response] = field(default_factory=dict)


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Write no line for every picture."""


@pytest.fixture
def site(app: Flask) -> Iterator[Site]:
    """The application of this test, with its clock, over HTTP."""
    again: dict[str, Response] = {}

    def answer(environ: Any, start: Any) -> Any:
        return again.get(environ["PATH_INFO"], app)(environ, start)

    server = make_server("localhost", 0, answer, threaded=True, request_handler=Quiet)
    server.daemon_threads = False  # what is still being answered at the end is waited for
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://localhost:{server.server_port}", again)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def window(chromium: Browser, site: Site) -> Iterator[Callable[..., Person]]:
    """Open a window for somebody: cookies of its own, and nothing may go wrong in it.

    No page may write an error to the console, break the Content-Security-Policy or ask another
    host for anything.
    """
    opened: list[tuple[BrowserContext, list[str]]] = []

    def open_window(size: dict[str, int] = DESK, *, scripts: bool = True, **more: Any) -> Person:
        context = chromium.new_context(
            base_url=site.url,
            viewport=size,
            java_script_enabled=scripts,
            locale="en-AU",
            reduced_motion="reduce",  # what is scrolled to is there at once
            **more,
        )
        context.set_default_timeout(PATIENCE)
        faults: list[str] = []
        opened.append((context, faults))
        context.on("console", lambda message: _note(message, faults))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on("request", lambda request: _stay(request.url, site.url, faults))
        return Person(context.new_page(), site.url)

    yield open_window
    for context, _ in opened:
        context.close()
    assert [fault for _, faults in opened for fault in faults] == []


ORDINARY = re.compile(
    r"status of 4\d\d"  # a refusal (401, 404, 409, 422) is an answer
    r"|does not conform to the required format"  # a date that was typed wrong, in a field for dates
)


def _note(message: Any, faults: list[str]) -> None:
    if message.type in ("error", "warning") and not ORDINARY.search(message.text):
        faults.append(message.text)


def _stay(url: str, home: str, faults: list[str]) -> None:
    if not url.startswith((f"{home}/", "data:", "blob:", "about:")):
        faults.append(f"asked for {url}")
