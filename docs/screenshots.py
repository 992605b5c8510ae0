"""Take the screenshots of docs/images, in a headless Chromium, of pages made from files that are made here.

    python -m docs.screenshots             all of them
    python -m docs.screenshots report      those of a page alone

The numbers in the pages are measured anew, so times differ from run to run. `tests/browser.py` says which Chromium is taken.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image
from sklearn.datasets import load_sample_image

import inrcodec
from bench.array_data import elevation, sea
from inrcodec import Signal
from tests.browser import PHONE, launched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
IMAGES = Path(__file__).resolve().parent / "images"
MOST = 450_000  # bytes of a screenshot
WIDTH = 1280  # CSS pixels
RATE = 44_100  # frames per second of the sounds
BELLS = 8000  # and of those that are shown in the viewer
WAIT = 120_000  # milliseconds; kernels may have to be compiled


def make_files(folder: Path) -> None:
    """Photographs with a lattice and without, a drawing, sounds, and arrays."""
    for name in ("photographs", "resampled", "sounds", "arrays"):
        (folder / name).mkdir(parents=True)
    for name in ("china", "flower"):
        photograph = load_sample_image(f"{name}.jpg")
        _save(folder / "photographs" / f"{name}.png", photograph)
        _save(folder / "photographs" / f"{name}, middle.png", photograph[100:356, 192:448])
        # each pixel a mean of four: that fills the gaps between the colours that JPEG left
        _save(
            folder / "resampled" / f"{name}, half the size.png", cv2.resize(photograph, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        )
        _save(folder / "resampled" / f"{name}, turned.png", turned(photograph)[80:336, 160:480])
    for name, pitches in (("string", (110.0,)), ("chord", (196.0, 246.94, 293.66)), ("bass", (55.0,))):
        soundfile.write(folder / "sounds" / f"{name}.wav", plucked(pitches), RATE, subtype="PCM_16")
    np.save(folder / "arrays" / "elevation.npy", (elevation(240, 1) // 200).astype(np.int16))  # steps of 0.2 metres
    np.save(folder / "arrays" / "sea temperature.npy", sea(60, float("nan"), 2))


def make_coded(folder: Path) -> None:
    """A folder of pictures, a stack, sounds, an array, several arrays, and a damaged file."""
    china, flower = (load_sample_image(f"{name}.jpg") for name in ("china", "flower"))
    time = np.arange(2 * BELLS) / BELLS
    bell = sum(a * np.sin(2 * np.pi * 440 * f * time) * np.exp(-d * time) for f, a, d in ((1, 9000, 2), (2.76, 5000, 4), (5.4, 2500, 7)))
    beat = 9000 * np.sin(2 * np.pi * 110 * time) * (np.cos(2 * np.pi * 2 * time) > 0) * np.exp(-3 * (time % 0.5))
    stack = np.stack([flower[90 + 8 * n : 250 + 8 * n, 200:440] for n in range(6)])
    photographs = {"china": china, "flower": flower, "roof": china[20:220, 90:380], "petals": flower[120:330, 240:520]}
    signals = {
        **{name: Signal(np.ascontiguousarray(pixels), "image") for name, pixels in photographs.items()},
        "in grey": Signal(china.mean(axis=2).astype(np.uint8), "image"),
        "six pages": Signal(stack, "stack"),
        "bell": Signal(np.rint(bell).astype(np.int16), "audio", 16, BELLS),
        "beat": Signal(np.rint(beat).astype(np.int16), "audio", 16, BELLS),
        "elevation": Signal(elevation(200, 1), "array"),
    }
    for name, signal in signals.items():
        (folder / f"{name}.linr").write_bytes(inrcodec.encode(signal, preview=name in ("china", "flower")))
    (folder / "runs.linr").write_bytes(inrcodec.encode_arrays({"speed": np.arange(100) / 8, "turns": np.arange(100)}))
    damaged = bytearray((folder / "roof.linr").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "sent twice.linr").write_bytes(damaged)


def turned(photograph: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A photograph turned by 7 degrees about its middle."""
    height, width = photograph.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 7, 1.0)
    return np.asarray(cv2.warpAffine(photograph, matrix, (width, height), flags=cv2.INTER_CUBIC), np.uint8)


def plucked(pitches: tuple[float, ...], seconds: float = 3.0) -> npt.NDArray[np.float64]:
    """Strings plucked one after the other, (frames,), by the algorithm of Karplus and Strong (1983)."""
    rng = np.random.default_rng(len(pitches))
    total = np.zeros(int(seconds * RATE))
    for i, pitch in enumerate(pitches):
        string = rng.uniform(-1, 1, round(RATE / pitch))
        sound = np.empty(len(total) - i * RATE // 3)
        for start in range(0, len(sound), len(string)):
            part = sound[start : start + len(string)]
            part[:] = string[: len(part)]
            string = 0.499 * (string + np.roll(string, -1))
        total[i * RATE // 3 :] += sound
    return np.asarray(total / (np.abs(total).max() * 1.2))


def report(browser: Browser, folder: Path) -> None:
    """The page of `inrcodec bench`: its beginning in light, a picture and its map in dark, its beginning on a phone."""
    make_files(folder / "files")
    command = ["bench", "files", "--effort", "1", "--effort", "4", "--html", "report.html", "--picture", "files/photographs/china.png"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "inrcodec", *command], cwd=folder, env=environment, check=True)
    shoot_report(browser, folder / "report.html")


def shoot_report(browser: Browser, path: Path) -> None:
    """The three screenshots of a page of `inrcodec bench`."""
    with opened(browser, path.as_uri(), WIDTH, 1270) as page:
        keep(page, "report-light")
    with opened(browser, path.as_uri(), WIDTH, 720, dark=True) as page:
        page.locator("#chosen").evaluate("e => e.scrollIntoView({ behavior: 'instant' })")
        keep(page, "report-dark")
    with opened(browser, path.as_uri(), PHONE, 900, scale=2) as page:
        keep(page, "report-phone")


def viewer(browser: Browser, place: Path) -> None:
    """The page of `inrcodec view`: a folder, a picture, and the bits that it took."""
    folder = place / "photographs and more"
    folder.mkdir()
    make_coded(folder)
    with served(folder) as address:
        page = browser.new_page(viewport={"width": WIDTH, "height": 760})
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.wait_for_selector("#sheet li:nth-child(11) .text .fault, #sheet li:nth-child(11) canvas")
        page.wait_for_load_state("networkidle")
        keep(page, "viewer-folder")
        page.get_by_role("link", name="china.linr").click()
        drawn(page)
        page.mouse.move(500, 300)
        page.get_by_text("green").wait_for()
        keep(page, "viewer")
        page.get_by_role("button", name="Bit cost").click()
        drawn(page)
        page.locator(".status", has_text=" bits").wait_for()
        page.wait_for_load_state("networkidle")
        keep(page, "viewer-cost")
        page.close()


def network(browser: Browser, place: Path) -> None:
    """The page of `inrcodec view`: what the network of a file says without the coded bits."""
    petals = np.ascontiguousarray(load_sample_image("flower.jpg")[120:312, 240:496])
    (place / "a flower in a network.linr").write_bytes(inrcodec.encode(petals, kind="image", profile="inr", prior="modulations"))
    with served(place / "a flower in a network.linr") as address:
        page = browser.new_page(viewport={"width": WIDTH, "height": 760})
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.get_by_role("button", name="Network alone").click()
        drawn(page)
        page.wait_for_load_state("networkidle")
        keep(page, "viewer-network")
        page.close()


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of a viewer that shows a file or a folder."""
    command = [sys.executable, "-m", "inrcodec", "view", "--no-browser", str(path)]
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


@contextmanager
def opened(browser: Browser, address: str, width: int, height: int, dark: bool = False, scale: float = 1) -> Iterator[Page]:
    """A page in a window of its own. scale: pixels of the screenshot for each CSS pixel."""
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", device_scale_factor=scale
    )
    page.goto(address)
    page.wait_for_load_state("networkidle")
    yield page
    page.close()


def keep(page: Page, name: str) -> None:
    """Write what the window shows to docs/images, with fewer colours if it would be too large."""
    image = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    for colours in (0, 256, 128, 64):
        file = io.BytesIO()
        (_dithered(image, colours) if colours else image).save(file, "PNG", optimize=True)
        if file.tell() <= MOST:
            break
    else:
        raise SystemExit(f"{name}.png takes {file.tell()} bytes, and {MOST} is the most")
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / f"{name}.png").write_bytes(file.getvalue())
    print(f"docs/images/{name}.png: {image.width} × {image.height}, {file.tell()} bytes")


def _dithered(image: Image.Image, colours: int) -> Image.Image:
    """An image of so many colours, without the steps that they would leave in a sky."""
    return image.quantize(palette=image.quantize(colours), dither=Image.Dither.FLOYDSTEINBERG)


def _save(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


PAGES: dict[str, Callable[[Browser, Path], None]] = {"report": report, "viewer": viewer, "network": network}


def main(names: list[str]) -> None:
    """Take the screenshots of these pages; of all if none is named."""
    from playwright.sync_api import sync_playwright

    unknown = [name for name in names if name not in PAGES]
    if unknown:
        raise SystemExit(f"no page is named {unknown[0]}; there are {', '.join(PAGES)}")
    with sync_playwright() as playwright:
        browser = launched(playwright)
        if browser is None:
            raise SystemExit("there is no Chromium; INRCODEC_CHROMIUM can name one")
        for name in names or PAGES:
            with tempfile.TemporaryDirectory() as folder:
                PAGES[name](browser, Path(folder))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
