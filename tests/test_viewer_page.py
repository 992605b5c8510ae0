"""`inrcodec view`: how it begins and ends, and its page in a browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from inrcodec import figures, viewer
from inrcodec.cli import main
from tests.browser import PHONE, overflow, visiting
from tests.viewed import make_folder

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

READING = ("willReadFrequently",)  # what Chromium says when the tests read the canvas
WAIT = 60  # seconds, after which something hangs


@contextmanager
def running(*given: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the line that it prints. At the end it is killed, if it still runs."""
    command = [sys.executable, "-m", "inrcodec", "view", "--no-browser", "--threads", "2", *map(str, given)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewer") / "files"
    make_folder(folder)
    (folder / "<img src=x onerror=alert(1)>.linr").write_bytes((folder / "deep.linr").read_bytes()) if os.name != "nt" else None
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a viewer that shows the folder."""
    with running(folder) as (_, line):
        yield line.split()[0]


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_one_line_serves_and_ends_by_a_signal(folder: Path, number: signal.Signals) -> None:
    with running(folder) as (process, line):
        address, _, rest = line.partition(" ")
        assert address.startswith("http://127.0.0.1:")
        assert "/?token=" in address
        assert rest == f"shows {folder}; Ctrl-C ends it\n"
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert b"<title>" in opener.open(address, timeout=WAIT).read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.split("?")[0], timeout=WAIT)
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT)
        assert (process.returncode, out, err) == ((0, "", "") if number == signal.SIGINT else (143, "", "inrcodec: terminated\n"))


def test_json_has_the_address_at_once(folder: Path) -> None:
    with running(folder, "--json") as (process, line):
        assert process.stdout is not None
        found = json.loads(line + "".join(iter(process.stdout.readline, "}\n")) + "}")
    assert (found["ok"], found["command"], found["input"]) == (True, "view", str(folder))
    assert found["address"].startswith("http://127.0.0.1:")


def view(*given: str | Path) -> Result:
    return CliRunner().invoke(main, ["view", "--no-browser", *map(str, given)])


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = view(folder, "--port", str(port))
    assert (found.exit_code, found.output.count("\n")) == (1, 1)
    assert f"port {port} is taken" in found.output


def test_what_is_not_there(tmp_path: Path) -> None:
    found = view(tmp_path / "nothing.linr")
    assert (found.exit_code, found.output.count("\n")) == (1, 1)
    assert "nothing.linr: cannot be read" in found.output


def test_missing_packages_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "find_spec", lambda name: None)
    found = view(folder)
    assert (found.exit_code, found.output.count("\n")) == (1, 1)
    assert "pip install 'inrcodec[view]'" in found.output


def test_only_this_machine_can_reach_it() -> None:
    from inrcodec.viewer.serving import bound

    with bound(0) as found:
        assert found.getsockname()[0] in ("127.0.0.1", "::1")


# --- the page -------------------------------------------------------------------------------------------------------


def open_file(page: Page, name: str) -> None:
    page.goto(f"{page.url.split('#')[0]}#{name}")
    page.wait_for_selector(".facts")


def until(page: Page, condition: str) -> None:
    """Wait until an expression is true. The page's own policy forbids Playwright's way, which is eval."""
    end = time.monotonic() + WAIT
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(30)


def drawn(page: Page) -> None:
    """Wait until all that is seen is decoded and drawn."""
    until(page, "document.querySelector('.stage').dataset.missing === '0'")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pixel(page: Page, x: float, y: float) -> list[int]:
    """The colour of the canvas at a share of its width and height."""
    found: list[int] = page.evaluate(
        """([x, y]) => {
          const canvas = document.querySelector('.stage canvas');
          return [...canvas.getContext('2d').getImageData(Math.round(x * canvas.width), Math.round(y * canvas.height), 1, 1).data];
        }""",
        [x, y],
    )
    return found


def middle_of(page: Page) -> tuple[float, float]:
    box: Any = page.locator(".stage canvas").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_folder_and_back(browser: Browser, address: str, folder: Path) -> None:
    with visiting(browser, address, expected=READING) as page:
        page.wait_for_selector("#sheet canvas")
        assert "token" not in page.url
        assert page.locator("#sheet li").count() == len(list(folder.rglob("*.linr"))) - (folder / "link.linr").is_symlink()
        page.locator("#filter").fill("sub/")
        assert page.locator("#sheet li:visible").count() == 1
        page.locator("#filter").fill("")
        damaged = page.locator("#sheet li", has_text="nonsense.linr")
        damaged.scroll_into_view_if_needed()
        damaged.locator(".fault").wait_for()
        page.get_by_role("link", name="photo.linr").click()
        page.wait_for_selector(".facts")
        page.locator("#back").click()
        page.wait_for_selector("#sheet:visible")
        page.go_back()
        page.wait_for_selector(".facts")


def test_a_picture_is_moved_enlarged_and_read(browser: Browser, address: str) -> None:
    from tests.viewed import samples

    known = samples()["photo.linr"].samples
    with visiting(browser, address, expected=READING) as page:
        open_file(page, "photo.linr")
        drawn(page)
        page.mouse.move(*middle_of(page))
        until(page, "document.querySelector('.status').textContent.includes('green')")
        words = page.locator(".status").inner_text().replace(",", "").replace(":", "").split()
        x, y = int(words[1]), int(words[3])
        assert [int(words[i]) for i in (5, 7, 9)] == known[y, x].tolist()
        assert pixel(page, 0.5, 0.5)[:3] == known[y, x].tolist()
        before = page.locator(".tools .soft").first.inner_text()
        page.mouse.wheel(0, -600)
        until(page, f"document.querySelector('.tools .soft').textContent !== '{before}'")
        drawn(page)
        page.locator(".stage canvas").focus()
        for key in ("+", "ArrowLeft", "ArrowUp", "-", "1"):
            page.keyboard.press(key)
        drawn(page)
        assert page.locator(".tools .soft").first.inner_text() == "100 %"
        page.keyboard.press("0")
        page.mouse.down()
        page.mouse.move(10, 400, steps=3)
        page.mouse.up()
        page.get_by_role("button", name="all of it").click()
        drawn(page)
        assert pixel(page, 0.5, 0.5)[:3] == known[y, x].tolist()


def test_modes_of_a_picture(browser: Browser, address: str) -> None:
    from tests.viewed import samples

    known = samples()["photo.linr"].samples
    with visiting(browser, address, expected=READING) as page:
        open_file(page, "photo.linr")
        drawn(page)
        page.get_by_role("button", name="Bit cost").click()
        page.get_by_text("bits per pixel").last.wait_for()
        drawn(page)
        page.get_by_role("combobox").first.select_option(index=1)
        drawn(page)
        page.mouse.move(*middle_of(page))
        until(page, "/bits$/.test(document.querySelector('.status').textContent)")
        page.get_by_role("button", name="Bit-planes").click()
        page.get_by_role("combobox").first.select_option("green")
        page.get_by_role("slider", name="bit").fill("6")
        drawn(page)
        assert pixel(page, 0.5, 0.5)[:3] == [255 * (known[48, 64, 1] >> 6 & 1)] * 3
        page.get_by_role("button", name="Network alone").click()
        assert "profile hybrid" in page.locator(".over").inner_text()
        open_file(page, "network.linr")
        page.get_by_role("button", name="Network alone").click()
        drawn(page)
        assert not page.locator(".over").is_visible()


def test_pages_and_slices(browser: Browser, address: str) -> None:
    from tests.viewed import samples

    stack = samples()["stack.linr"].samples
    with visiting(browser, address, expected=READING) as page:
        open_file(page, "stack.linr")
        for number in (0, 1):
            page.get_by_role("slider", name="page").fill(str(number))
            drawn(page)
            assert pixel(page, 0.5, 0.5)[:3] == stack[number, 16, 20].tolist()
        open_file(page, "volume.linr")
        drawn(page)
        page.get_by_text("Black is").wait_for()
        page.locator(".stage canvas").focus()
        page.keyboard.press("PageDown")
        drawn(page)
        assert page.locator("output").first.inner_text() == "2 of 0 to 2"


def test_sound_plays_and_seeks(browser: Browser, address: str) -> None:
    with visiting(browser, address, expected=READING) as page:
        open_file(page, "sound.linr")
        until(page, "Math.abs(document.querySelector('audio').duration - 0.75) < 0.01")
        until(page, "document.querySelector('.busy').hidden")
        assert page.evaluate("document.querySelector('audio').error") is None
        page.locator(".stage canvas").first.click()
        until(page, "Math.abs(document.querySelector('audio').currentTime - 0.375) < 0.02")
        until(page, "document.querySelector('.status').textContent.includes('left')")
        page.get_by_role("button", name="less of it").click()
        page.get_by_text("0.188 s to 0.563 s").wait_for()
        colours = page.evaluate(
            """() => { const canvas = document.querySelector('.stage canvas');
              return new Set(canvas.getContext('2d').getImageData(0, canvas.height / 4, canvas.width, 1).data).size; }"""
        )
        assert colours > 2
        open_file(page, "wide.linr")
        page.get_by_text("mixed to two").wait_for()
        open_file(page, "line.linr")
        assert page.locator("audio").count() == 0


def test_two_fingers_on_a_waveform(browser: Browser, address: str) -> None:
    with visiting(browser, address, expected=READING) as page:
        open_file(page, "sound.linr")
        page.get_by_text("0.000 s to 0.750 s").wait_for()
        x, y = middle_of(page)
        fingers = page.context.new_cdp_session(page)

        def touch(kind: str, *apart: float) -> None:
            places = [{"x": x + side * far, "y": y, "id": side + 1} for far in apart for side in (-1, 1)]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        touch("touchStart", 50.0)
        for apart in (60.0, 80.0, 100.0):
            touch("touchMove", apart)
        touch("touchEnd")
        until(page, "/0.1[89]. s to 0.5[56]. s/.test(document.body.textContent)")


def test_bundles_damaged_files_and_names_are_text(browser: Browser, address: str, folder: Path) -> None:
    with visiting(browser, address, expected=READING) as page:
        open_file(page, "arrays.linr")
        assert page.locator("td", has_text="<b>").count() >= 1
        assert page.locator("td b").count() == 0
        page.get_by_role("button", name="Compare now").click()
        page.get_by_text("OK: 2 arrays match their digest.").wait_for()
        open_file(page, "damaged.linr")
        assert "--salvage" in page.locator(".fault").first.inner_text()
        drawn(page)
        page.get_by_text("of 4 is lost").wait_for()
        page.goto(f"{page.url.split('#')[0]}#nonsense.linr")
        page.get_by_text("not a .linr file").wait_for()
        if os.name != "nt":
            page.locator("#back").click()
            page.get_by_role("link", name="<img").click()
            page.wait_for_selector(".facts")
            assert page.locator("header img").count() == 0


def test_a_file_that_is_changed_while_it_is_shown(browser: Browser, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes((folder / "photo.linr").read_bytes())
    with running(path) as (_, line), visiting(browser, line.split()[0]) as page:
        page.wait_for_selector(".facts")
        drawn(page)
        path.write_bytes((folder / "deep.linr").read_bytes())
        page.get_by_role("button", name="Bit-planes").click()
        page.get_by_text("was changed since it was opened").wait_for()
        page.get_by_role("button", name="Load it again").click()
        page.get_by_text("image 96 × 128 × 3, 16 bits (uint16)").wait_for()


@pytest.mark.parametrize(("width", "dark"), [(PHONE, False), (PHONE, True), (1280, True)])
def test_it_fits_phones_and_dark_rooms(browser: Browser, address: str, width: int, dark: bool) -> None:
    with visiting(browser, address, width, dark) as page:
        page.wait_for_selector("#sheet canvas")
        assert overflow(page) == 0
        for name in ("photo.linr", "sound.linr", "arrays.linr"):
            open_file(page, name)
            if name == "photo.linr":
                page.get_by_role("button", name="Bit cost").click()
                drawn(page)
            assert overflow(page) == 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (np.mean([int(part) for part in ground.strip("rgb()").split(",")]) < 100) == dark


def pretending(page: Page, name: str, axes: tuple[int, ...], answers: dict[str, Any]) -> dict[str, int]:
    """Show a file as if it were larger; how often each of `answers`, bodies of replies, is asked for from now on."""
    counts = dict.fromkeys(answers, 0)

    def about(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json=found | {"axes": list(axes)})

    def counted(what: str) -> Any:
        def answer(route: Route) -> None:
            counts[what] += 1
            body = answers[what]
            route.fulfill(body=body, content_type="image/png") if isinstance(body, bytes) else route.fulfill(json=body)

        return answer

    page.route("**/api/about?*", about)
    for what in answers:
        page.route(f"**/api/{what}?*", counted(what))
    open_file(page, name)
    return counts


def settled(page: Page, counts: dict[str, int]) -> int:
    """How much was asked for in all, as soon as nothing more is."""
    page.wait_for_timeout(200)
    until(page, "document.querySelector('.busy').hidden")
    before = sum(counts.values())
    page.wait_for_timeout(300)
    assert sum(counts.values()) == before
    return before


def test_a_long_sound_is_asked_for_once(browser: Browser, address: str) -> None:
    """A day at 96 kHz: as chunks of 2^18 frames, there would be tens of thousands."""
    chunk = {"edges": [0, 1], "low": [[0], [0]], "high": [[0], [0]], "bits": [1], "faults": []}
    with visiting(browser, address, expected=READING) as page:
        counts = pretending(page, "sound.linr", (8_294_400_000,), {"waveform": chunk, "costs": chunk})
        assert 2 <= settled(page, counts) <= 200


@pytest.mark.slow
def test_parts_of_a_large_screen_are_asked_for_once(browser: Browser, address: str) -> None:
    """6K and a scale of a little more than a half show more parts than are kept on smaller screens."""
    with visiting(browser, address, expected=READING) as page:
        page.set_viewport_size({"width": 6016, "height": 3384})
        open_file(page, "photo.linr")
        height, width = page.evaluate("[document.querySelector('.stage').clientHeight, document.querySelector('.stage').clientWidth]")
        page.goto(f"{page.url.split('#')[0]}#")
        page.wait_for_selector("#sheet:visible")
        axes = (int(1.9 * height), int(1.9 * width))
        counts = pretending(page, "photo.linr", axes, {"picture": figures.png(np.zeros((4, 4), np.uint8))})
        parts = -(-axes[0] // 512) * -(-axes[1] // 512)
        assert parts > 160
        assert settled(page, counts) == parts


def test_an_address_that_is_no_name(browser: Browser, address: str) -> None:
    with visiting(browser, address, expected=("404",)) as page:
        page.wait_for_selector("#sheet canvas")
        page.goto(f"{page.url.split('#')[0]}#100%")
        page.locator("#file .fault").wait_for()
