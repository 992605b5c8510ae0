"""Take the screenshots of docs/viewer.md, in a headless Chromium, of files that are made here from two photographs that scikit-learn has.

    python -m docs.viewer_screenshots

`tests/browser.py` says which Chromium is taken.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

import inrcodec
from bench.array_data import elevation
from inrcodec import Signal
from tests.browser import program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
IMAGES = Path(__file__).resolve().parent / "images"
MOST = 300_000  # bytes of a screenshot
SIZE = (1280, 760)  # CSS pixels
RATE = 8000
WAIT = 120_000  # milliseconds; kernels may have to be compiled


def make_files(folder: Path) -> None:
    """A folder of pictures, a stack, sounds, an array, several arrays, and a damaged file."""
    china, flower = (load_sample_image(f"{name}.jpg") for name in ("china", "flower"))
    time = np.arange(2 * RATE) / RATE
    bell = sum(a * np.sin(2 * np.pi * 440 * f * time) * np.exp(-d * time) for f, a, d in ((1, 9000, 2), (2.76, 5000, 4), (5.4, 2500, 7)))
    beat = 9000 * np.sin(2 * np.pi * 110 * time) * (np.cos(2 * np.pi * 2 * time) > 0) * np.exp(-3 * (time % 0.5))
    stack = np.stack([flower[90 + 8 * n : 250 + 8 * n, 200:440] for n in range(6)])
    photographs = {"china": china, "flower": flower, "roof": china[20:220, 90:380], "petals": flower[120:330, 240:520]}
    signals = {
        **{name: Signal(np.ascontiguousarray(pixels), "image") for name, pixels in photographs.items()},
        "in grey": Signal(china.mean(axis=2).astype(np.uint8), "image"),
        "six pages": Signal(stack, "stack"),
        "bell": Signal(np.rint(bell).astype(np.int16), "audio", 16, RATE),
        "beat": Signal(np.rint(beat).astype(np.int16), "audio", 16, RATE),
        "elevation": Signal(elevation(200, 1), "array"),
    }
    for name, signal in signals.items():
        (folder / f"{name}.linr").write_bytes(inrcodec.encode(signal, effort=3, preview=name in ("china", "flower")))
    (folder / "runs.linr").write_bytes(inrcodec.encode_arrays({"speed": np.arange(100) / 8, "turns": np.arange(100)}))
    damaged = bytearray((folder / "roof.linr").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "sent twice.linr").write_bytes(damaged)


def viewer(browser: Browser, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The screenshots of `inrcodec view`: name and PNG file of each. folder: an empty one, for its files."""
    make_files(folder)
    with served(folder) as address:
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.wait_for_selector("#sheet li:nth-child(11) .text .fault, #sheet li:nth-child(11) canvas")
        page.wait_for_load_state("networkidle")
        yield "viewer-folder", page.screenshot()
        page.get_by_role("link", name="china.linr").click()
        drawn(page)
        page.mouse.move(500, 300)
        page.get_by_text("green").wait_for()
        yield "viewer", page.screenshot()
        page.get_by_role("button", name="Bit cost").click()
        drawn(page)
        page.locator(".status", has_text=" bits").wait_for()
        page.wait_for_load_state("networkidle")
        yield "viewer-cost", page.screenshot()
        page.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a viewer that shows a folder."""
    command = [sys.executable, "-m", "inrcodec", "view", "--no-browser", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def drawn(page: Page) -> None:
    """Wait until all that is in sight is decoded."""
    page.wait_for_selector('.stage[data-missing="0"]')


def small(screenshot: bytes) -> bytes:
    """A screenshot with fewer colours, if it would be too large."""
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    for colours in (0, 256, 128, 64, 32):
        file = io.BytesIO()
        (image.quantize(colours) if colours else image).save(file, "PNG", optimize=True)
        if file.tell() <= MOST:
            return file.getvalue()
    raise SystemExit(f"a screenshot takes {file.tell()} bytes, and {MOST} is the most")


def main() -> None:
    """Write the screenshots to docs/images."""
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        path = program(playwright)
        if path is None:
            raise SystemExit("there is no Chromium; INRCODEC_CHROMIUM can name one")
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=["--no-sandbox"] if as_root else [])
        folder = Path(place) / "photographs and more"
        folder.mkdir()
        for name, screenshot in viewer(browser, folder):
            (IMAGES / f"{name}.png").write_bytes(small(screenshot))
            print(f"docs/images/{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
