"""The HTML page of a comparison in a browser: its script and its style sheet, in both schemes and on a phone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import inrcodec
from inrcodec import Signal
from inrcodec.report import Choice, write
from inrcodec.report.words import visible
from tests.browser import PHONE, overflow, visiting
from tests.comparisons import HOSTILE, compared

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TALLER_THAN_A_NAVIGATION = 40  # CSS pixels

# Contrast by WCAG 2 of all texts with the nearest background that is not transparent: the least, and of what
CONTRAST = """() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
  const light = ({ rgb }) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let least = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("button:disabled, title, desc")) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    let under = element;
    while (under.parentElement && parse(getComputedStyle(under).backgroundColor).a === 0) under = under.parentElement;
    const [a, b] = [light(ink), light(parse(getComputedStyle(under).backgroundColor))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < least[0]) least = [contrast, node.data.trim()];
  }
  return least;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of 60 files with a picture of 40 × 30."""
    rng = np.random.default_rng(0)
    signal = Signal(np.cumsum(rng.integers(-2, 3, (30, 40, 3)), axis=1).astype(np.uint8), "image")
    path = tmp_path_factory.mktemp("report") / "a report, 100%.html"
    write(path, compared(60), Choice("picture.png", signal, inrcodec.encode(signal, profile="stored")))
    return path.as_uri()


def names(page: Page) -> list[str]:
    """The files whose bars are shown."""
    return page.locator("#bars .name").all_inner_texts()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [PHONE, 1280])
def test_page_fits_and_can_be_read(browser: Browser, address: str, width: int, dark: bool) -> None:
    with visiting(browser, address, width=width, dark=dark) as page:
        assert overflow(page) == 0
        page.locator("#plain summary").click()
        page.locator(".chips summary").click()
        page.locator("#faults ~ dl summary").first.click()
        assert overflow(page) == 0
        contrast, text = page.evaluate(CONTRAST)
        assert contrast >= 4.5, text
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper.removeprefix("rgb(").rstrip(")").split(","))) < 384) == dark
        assert page.locator("svg").count() == 8
        assert all(
            box["height"] > 200 for box in page.locator("svg").evaluate_all("all => all.map((e) => e.getBoundingClientRect().toJSON())")
        )


def test_colours_are_chosen_and_remembered(browser: Browser, address: str) -> None:
    with visiting(browser, address, dark=True) as page:
        scheme = "getComputedStyle(document.documentElement).colorScheme"
        button = page.locator("#theme")
        seen = []
        for _ in range(4):
            seen.append((button.inner_text(), page.evaluate(scheme)))
            button.click()
        assert seen == [("Auto", "light dark"), ("Light", "light"), ("Dark", "dark"), ("Auto", "light dark")]
        page.reload()
        assert (button.inner_text(), page.evaluate(scheme)) == ("Light", "light")
        assert button.get_attribute("aria-label") == "Colours: light"


def test_bars_are_sorted_filtered_and_turned(browser: Browser, address: str) -> None:
    found = compared(60)
    paths = sorted(file.path for file in found.files)
    with visiting(browser, address) as page:
        assert page.locator("#reference option:checked").inner_text() == "inrcodec -4"
        assert names(page) == paths[:10]
        page.get_by_role("button", name="Next").click()
        assert names(page) == paths[10:20]
        page.locator("#many").select_option("100")
        assert names(page) == paths
        assert not page.locator("#pager").is_visible()
        page.locator("#filter").fill("SOUND/")
        assert names(page) == [path for path in paths if path.startswith("sound/")]
        page.locator("#plain summary").click()
        assert sorted(page.locator("#all tbody th:visible").all_inner_texts()) == sorted(names(page))
        page.locator("#plain summary").click()
        page.locator("#filter").fill("no such file")
        assert names(page) == []
        assert "No file" in page.locator("#bars-said").inner_text()
        page.locator("#filter").fill("")
        page.locator("#group").select_option("arrays")
        assert names(page) == [path for path in paths if path.startswith("arrays/")]

        def gain(path: str) -> float:
            file = next(file for file in found.files if file.path == path)
            ours, other = file.of("inrcodec -4"), min(one.size for one in file.measurements if not one.codec.startswith("inrcodec"))
            assert ours is not None
            return 1 - ours.size / other

        page.locator("#order").select_option("most")
        gains = [gain(path) for path in names(page)]
        assert gains == sorted(gains, reverse=True)
        page.locator("#order").select_option("least")
        assert names(page)[0] == min((path for path in paths if path.startswith("arrays/")), key=gain)


def test_bars_are_relative_to_the_reference(browser: Browser, address: str) -> None:
    with visiting(browser, address) as page:
        page.locator("#group").select_option("sound")
        page.locator("#many").select_option("100")
        page.locator("#reference").select_option(label="FLAC")
        sounds = {file.path: file for file in compared(60).files if file.group == "sound"}
        widest = max(one.size / (file.of("FLAC") or one).size for file in sounds.values() for one in file.measurements)
        for item in page.locator("#bars > li").all()[:3]:
            file = sounds[item.locator(".name").inner_text()]
            whole = file.of("FLAC")
            assert whole is not None
            lines = item.locator("ul li").all()
            assert [line.locator(".codec").inner_text() for line in lines] == [one.codec for one in file.measurements]
            for line, one in zip(lines, file.measurements, strict=True):
                assert line.locator("b").inner_text() == f"{100 * one.size / whole.size:.1f}\u202f%"
                share = line.evaluate("e => e.querySelector('.fill').offsetWidth / e.querySelector('.track').clientWidth")
                assert share == pytest.approx(one.size / whole.size / widest, abs=0.01)
        page.locator("#reference").select_option(label="PNG")
        assert "PNG gave nothing here" in page.locator("#bars > li").first.inner_text()
        page.locator(".chips summary").click()
        page.get_by_role("checkbox", name="WavPack").uncheck()
        assert "WavPack" not in page.locator("#bars").inner_text()


def test_a_long_bar_does_not_squeeze_the_others(browser: Browser, address: str) -> None:
    """The samples themselves are some five times as many bytes as inrcodec makes."""
    with visiting(browser, address) as page:
        page.locator("#group").select_option("pictures with a hidden lattice")
        said, first = page.locator("#bars-said"), page.locator("#bars > li").first
        assert "Bars end" not in said.inner_text()
        assert page.locator("#bars .cut").count() == 0
        page.locator(".chips summary").click()
        page.get_by_role("checkbox", name="Raw samples").check()
        assert "Bars end at 400" in said.inner_text()
        whole, png, raw = (first.locator("li", has_text=name).first for name in ("inrcodec -4", "PNG", "Raw samples"))
        share = "e => e.querySelector('.fill').offsetWidth / e.querySelector('.track').clientWidth"
        assert raw.locator(".cut").count() == 1
        assert float(raw.locator("b").inner_text().split()[0]) > 400
        assert raw.evaluate(share) == pytest.approx(1, abs=0.01)
        assert whole.evaluate(share) == pytest.approx(1 / 4, abs=0.01)
        assert png.evaluate(share) == pytest.approx(float(png.locator("b").inner_text().split()[0]) / 400, abs=0.01)


def test_picture_shows_maps_and_planes(browser: Browser, address: str) -> None:
    with visiting(browser, address) as page:
        figures = page.locator("#figures figure:visible")
        assert figures.count() == 2
        assert "bits per pixel on average" in figures.nth(1).inner_text()
        page.get_by_label("bit-planes").check()
        assert not page.locator("#map").is_visible()
        page.locator("#channel").select_option("green")
        page.locator("#bit").select_option("bit 3")
        assert figures.count() == 2
        assert figures.nth(1).inner_text().startswith("Green, bit 3")
        for image in figures.locator("img:not(.scale img)").all():
            assert image.evaluate("e => e.complete && e.naturalWidth") == 40
            assert image.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
        page.locator("#zoom").select_option("8")
        frames = figures.locator(".frame")
        inside, outside = frames.nth(0).evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert inside == pytest.approx(8 * outside, abs=8)
        middle = "e => (e.scrollLeft + e.clientWidth / 2) / e.scrollWidth"
        assert frames.nth(0).evaluate(middle) == pytest.approx(0.5, abs=0.02)
        frames.nth(0).hover()
        frames.nth(0).evaluate("e => e.scrollTo({ left: 100, top: 50, behavior: 'instant' })")
        page.wait_for_function(
            "e => Math.abs(e.scrollLeft - 100) < 3 && Math.abs(e.scrollTop - 50) < 3", arg=frames.nth(1).element_handle()
        )
        assert overflow(page) == 0


def test_page_without_scripts_shows_all(browser: Browser, address: str) -> None:
    with visiting(browser, address, scripts=False, width=PHONE) as page:
        assert page.locator("#all tbody tr").count() == 60
        assert page.locator("#all").is_visible()
        assert page.locator("#figures figure").count() == 2 + 3 * 8
        assert page.locator("#figures figure").last.is_visible()
        assert not page.locator("#theme").is_visible()
        assert not page.locator(".js:visible").count()


def test_keys_reach_the_controls(browser: Browser, address: str) -> None:
    with visiting(browser, address) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert {"theme", "filter", "group", "reference", "order", "many", "after", "scroll"} <= reached
        page.locator("#theme").press("Enter")
        assert page.locator("#theme").inner_text() == "Light"


def test_paper_has_everything(browser: Browser, address: str) -> None:
    with visiting(browser, address) as page:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.locator("#all tbody tr").last.is_visible()
        assert not page.locator(".bar").is_visible()
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_hostile_names_do_nothing(browser: Browser, tmp_path: Path) -> None:
    found = compared(len(HOSTILE))
    files = tuple(replace(one, path=name, faults={name: name}) for one, name in zip(found.files, HOSTILE, strict=True))
    write(tmp_path / "x.html", replace(found, files=files, refused={name: name for name in HOSTILE}, command=HOSTILE[0]))
    with visiting(browser, (tmp_path / "x.html").as_uri(), width=PHONE) as page:
        page.locator("#many").select_option("100")
        assert sorted(names(page)) == sorted(visible(name) for name in HOSTILE)
        assert page.title().startswith("inrcodec bench")
        page.locator("#filter").fill("<script>")
        assert len(names(page)) == 1
        assert overflow(page) == 0


@pytest.mark.parametrize("count", [0, 1, pytest.param(2000, marks=pytest.mark.slow)])
def test_any_number_of_files(browser: Browser, tmp_path: Path, count: int) -> None:
    write(tmp_path / "x.html", compared(count))
    assert (tmp_path / "x.html").stat().st_size < 5_000_000
    with visiting(browser, (tmp_path / "x.html").as_uri()) as page:
        if not count:
            assert page.locator("h1").inner_text() == "Nothing was measured."
            return
        assert len(names(page)) == min(count, 10)
        if count > 100:
            page.locator("#many").select_option("100")
            for _ in range(3):
                page.locator("#after").click()
            assert page.locator("#where").inner_text() == "301 – 400 of 2\u202f000"
            page.locator("#filter").fill("1999")
            assert len(names(page)) == 1
