"""A headless Chromium for tests of pages, by Playwright. Tests that ask for `browser` are skipped where there is none.

The browser is that of INRCODEC_CHROMIUM, else one on PATH, else Playwright's own (`playwright install chromium`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request

VARIABLE = "INRCODEC_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "msedge")
PHONE = 375  # CSS pixels


def program(playwright: Playwright) -> str | None:
    """The path of a Chromium, or None. A path in INRCODEC_CHROMIUM must be right."""
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise FileNotFoundError(f"{VARIABLE} names no file: {named}")
        return named
    own = playwright.chromium.executable_path
    return next((path for path in map(shutil.which, NAMES) if path), own if Path(own).is_file() else None)


def launched(playwright: Playwright) -> Browser | None:
    """A Chromium; None: there is none. Raises FileNotFoundError, see `program`."""
    path = program(playwright)
    if path is None:
        return None
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox does not start then
    return playwright.chromium.launch(executable_path=path, headless=True, args=["--no-sandbox"] if as_root else [])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of a module. While it is open, asyncio.run does not work in the thread of the tests."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        try:
            chromium = launched(playwright)
        except FileNotFoundError as fault:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(fault))
        if chromium is None:
            pytest.skip(f"no Chromium was found: {VARIABLE} is not set, none of {', '.join(NAMES)} is on PATH, and Playwright has none")
        yield chromium
        chromium.close()


@contextmanager
def visiting(
    browser: Browser, address: str, width: int = 1280, dark: bool = False, scripts: bool = True, expected: tuple[str, ...] = ()
) -> Iterator[Page]:
    """A page in a context of its own. At the end there must have been no error or warning, and no request to another origin.

    expected: texts; messages of the console that hold one of them are no fault.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", java_script_enabled=scripts
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    faults: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in expected):
            faults.append(f"{message.type}: {message.text}")

    def see(request: Request) -> None:
        if _origin(request.url) not in (_origin(address), "data:", "blob:"):
            faults.append(f"request to {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    page.on("request", see)
    try:
        page.goto(address)
        yield page
    finally:
        context.close()
    assert not faults, "\n".join(faults)


def overflow(page: Page) -> int:
    """By how many CSS pixels the page is wider than its window."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def _origin(address: str) -> str:
    """Scheme, and host with port. A page from a file has that file as its origin: a request to another file is one too many."""
    parts = urlsplit(address)
    if parts.scheme in ("data", "blob"):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.path if parts.scheme == 'file' else parts.netloc}"
