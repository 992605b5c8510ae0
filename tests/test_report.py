"""The HTML page of a comparison: what stands in it, that names cannot break it, and what its numbers are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import Options, Signal, Stopped, cli
from inrcodec.compare.result import ARRAYS, LATTICE, PLAIN, SOUND, UNSURE, Comparison, FileResult, Measurement
from inrcodec.compare.summary import Score
from inrcodec.errors import InrcodecError
from inrcodec.figures import INK_NAMES
from inrcodec.report import Choice, page, write
from inrcodec.report.charts import PLOT, charts, decades, placed, steps
from inrcodec.report.chosen import chosen
from inrcodec.report.front import front
from inrcodec.report.totals import gain, totals
from inrcodec.report.verdict import cost, verdict
from inrcodec.report.words import date, listed, number, percent, significant, size, visible
from tests.comparisons import HOSTILE, compared, measured

VOID = {"meta", "link", "img", "input", "br", "line", "circle", "path"}
T = "\u202f"


class Page(HTMLParser):
    """What a page holds. Raises AssertionError where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []  # of which element
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def said(self) -> str:
        """All texts but those of scripts and style sheets."""
        return "".join(text for tag, text in self.texts if tag not in ("script", "style"))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a tag."""
        return [attributes for name, attributes in self.elements if name == tag]


def file(name: str, group: str = PLAIN, faults: dict[str, str] | None = None, **sizes: int) -> FileResult:
    """A picture of 10 × 10 with these sizes, of which each codec took as many seconds as it has bytes; ours_1 is "inrcodec -1"."""
    ones = tuple(Measurement(codec.replace("ours_", "inrcodec -"), "", n, float(n), float(n)) for codec, n in sizes.items())
    return FileResult(name, group, "image", (10, 10), "uint8", 100, 120, ones, faults or {})


def comparison(*files: FileResult) -> Comparison:
    return Comparison(files, {}, {}, {"Python": "3.11"}, "a machine", "inrcodec bench", 1, "2026-11-29T22:40:00Z")


def test_page_has_all_files_and_facts() -> None:
    found = compared(40)
    read = Page(page(found))
    said = read.said()
    for one in found.files:
        assert one.path in said
        for measurement in one.measurements:
            assert number(measurement.size) in said
    for text in (*found.missing, *found.missing.values(), *found.refused, *found.refused.values(), *found.versions.values()):
        assert text in said
    assert found.machine in said
    assert found.command in said
    assert "2026-11-29 12:00 UTC" in said
    headings = [text for tag, text in read.texts if tag == "h2"]
    assert headings[:4] == ["Pictures with a hidden lattice", "Pictures without a lattice", "Sound", "Arrays"]
    assert len(read.of("svg")) == 8
    assert "The run was stopped" not in said
    assert "The run was stopped" in Page(page(replace(found, complete=False))).said()


def test_page_needs_nothing_from_elsewhere() -> None:
    text = page(compared(8), picture())
    read = Page(text)
    for tag, attributes in read.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        for name in ("src", "href", "action", "data", "srcset", "poster", "formaction"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#")), (tag, address)
    assert not re.search(r"@import|url\(|https?:", "".join(text for tag, text in read.texts if tag in ("style", "script")))
    policy = next(a["content"] for a in read.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert [name for name in ("script", "link") for a in read.of(name) if a.get("src") or (a.get("href") or "").startswith("http")] == []


def test_links_inside_the_page_lead_somewhere() -> None:
    read = Page(page(compared(8), picture()))
    names = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(names) == len(set(names))
    for _, attributes in read.elements:
        for name in ("href", "aria-labelledby"):
            if (attributes.get(name) or "").startswith("#") or (name == "aria-labelledby" and name in attributes):
                assert all(target.lstrip("#") in names for target in (attributes[name] or "").split())


def test_hostile_names_are_texts() -> None:
    plain = Page(page(compared(len(HOSTILE))))
    names = tuple(replace(one, path=name) for one, name in zip(compared(len(HOSTILE)).files, HOSTILE, strict=True))
    texts = {name: name for name in HOSTILE}
    hostile = replace(compared(0), files=names, refused=texts, missing=texts, versions=texts, machine=HOSTILE[0], command=HOSTILE[1])
    text = page(hostile)
    text.encode("utf-8")
    read = Page(text)
    said = read.said()
    assert [tag for tag, _ in read.elements].count("script") == [tag for tag, _ in plain.elements].count("script") == 1
    for name in HOSTILE:
        assert visible(name) in said
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\x7f-\x9f]", said)


@settings(max_examples=12)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_gives_a_page_with_the_same_elements(path: str, codec: str) -> None:
    def of(path: str, codec: str) -> Comparison:
        one = Measurement(codec, codec, 50, 1.0, 1.0)
        ours = Measurement("inrcodec", "effort 4", 40, 1.0, 1.0)
        files = (FileResult(path, PLAIN, "image", (10, 10), "uint8", 100, 120, (ours, one), {codec + "!": path}),)
        return replace(comparison(*files), refused={path: codec}, missing={codec: path})

    plain, read = Page(page(of("a", "b"))), Page(page(of(path, f"x{codec}")))
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in plain.elements]
    assert visible(path) in read.said()


def test_page_without_files() -> None:
    said = Page(page(replace(comparison(), refused={"a.jpg": "is lossy"}))).said()
    assert "Nothing was measured." in said
    assert "is lossy" in said


def test_write_makes_a_file_of_utf8(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")
    found = compared(3)
    with pytest.raises(InrcodecError, match="exists already"):
        write(target, found)
    assert target.read_text(encoding="utf-8") == "old"
    write(target, found, force=True)
    assert target.read_bytes() == page(found).encode("utf-8")
    with pytest.raises(InrcodecError, match=re.escape(str(tmp_path / "none" / "x.html"))):
        write(tmp_path / "none" / "x.html", found)


# Who is smaller


def test_totals_are_over_common_files() -> None:
    found = comparison(
        file("a", inrcodec=10, PNG=20, WebP=15),
        file("b", inrcodec=30, PNG=20, WebP=25),
        file("c", faults={"WebP": "takes no such thing"}, inrcodec=50, PNG=50),
    )
    table = totals(found)[0]
    assert [one.path for one in table.summary.files] == ["a", "b"]
    assert [(row.codec, row.size, table.smallest[row.codec]) for row in table.rows] == [
        ("inrcodec", 40, 1),
        ("PNG", 40, 1),
        ("WebP", 40, 0),
    ]
    assert table.summary.total == 3
    assert table.partial == ()
    assert table.bits(table.rows[0]) == pytest.approx(1.6)
    assert table.time(40.0) == pytest.approx(0.2e6)


def test_codecs_of_few_files_stand_apart() -> None:
    files = [file(str(i), inrcodec=10 + i, PNG=20) for i in range(7)] + [file("7", inrcodec=13, PNG=20, Rare=5)]
    table = totals(comparison(*files))[0]
    assert [row.codec for row in table.rows] == ["inrcodec", "PNG"]
    assert len(table.summary.files) == 8
    assert [(one.aside.codec, one.aside.taken, one.size, one.ours) for one in table.partial] == [("Rare", 1, 5, 13)]
    assert "Rare" in Page(page(comparison(*files))).said()


def told(found: Comparison) -> str:
    return verdict([table.summary for table in totals(found)])


def test_files_of_which_inrcodec_gave_nothing_are_told() -> None:
    found = comparison(file("a", inrcodec=10, PNG=20), file("b", faults={"inrcodec": "took longer than 5 s"}, PNG=20))
    assert told(found) == (
        "inrcodec is the smallest on 1 of 2 pictures without a lattice; the one other codec measured is not smaller; "
        "it gave nothing of 1 picture without a lattice."
    )


def test_groups_without_any_measurement() -> None:
    failed = {"inrcodec": "took longer than 5 s", "PNG": "fails"}
    found = comparison(file("a", inrcodec=10, PNG=20), file("b", LATTICE, faults=failed))
    said = Page(page(found)).said()
    assert "No codec gave anything." in said
    assert "took longer than 5 s" in said
    assert "Nothing can be said" in Page(page(comparison(file("a", faults=failed)))).said()
    few = comparison(file("a", inrcodec=9), file("b", PNG=9), file("c", WebP=9))
    assert totals(few)[0].rows == ()
    assert "No two codecs took enough" in Page(page(few)).said()


def test_verdict_names_how_many_others_there_were() -> None:
    found = comparison(file("a", inrcodec=10, PNG=20, WebP=15), file("b", SOUND, inrcodec=10, FLAC=20))
    assert told(found).endswith("; none of the 3 other codecs measured is smaller.")


def test_files_that_came_smaller_are_told() -> None:
    found = comparison(file("a", inrcodec=130, PNG=200), file("b", inrcodec=110, PNG=200))
    assert "1 file as it came is smaller than what inrcodec made" in Page(page(found)).said()


def test_pictures_of_which_inrcodec_gave_nothing_have_no_known_lattice() -> None:
    said = Page(page(comparison(file("a", UNSURE, faults={"inrcodec": "took longer than 5 s"}, PNG=20)))).said()
    assert "nobody looked for a hidden lattice" in said
    assert "found no hidden lattice" not in said


def test_one_codec_alone_has_no_chart() -> None:
    read = Page(page(comparison(file("a", inrcodec=10))))
    assert not read.of("svg")
    assert "Totals over" in read.said()


def test_page_tells_what_is_unlike() -> None:
    said = " ".join(Page(page(compared(4))).said().split())
    assert "FLAC and WavPack are whole commands, which read and write files." in said
    assert "inrcodec is timed without the verification that inrcodec encode does" in said
    assert said.count("of the commands flac and wavpack, all that they take") == 1  # of sound alone


def test_verdict_tells_both_directions() -> None:
    found = comparison(
        file("a", inrcodec=10, PNG=20, WebP=15),
        file("b", inrcodec=30, PNG=20, WebP=25),
        file("c", inrcodec=30, PNG=30, WebP=31),
        file("d", inrcodec=30),
        file("e", SOUND, inrcodec=9, FLAC=8),
    )
    assert [table.summary.score for table in totals(found)] == [Score(3, 1, 1, 0), Score(1, 0, 0, 0)]
    assert told(found) == (
        "inrcodec is the smallest on 1 of 3 pictures without a lattice (and as small as the smallest on 1) and 0 of 1 sound; "
        "PNG is smaller on 1 picture without a lattice and WebP on 1; FLAC is smaller on 1 sound."
    )
    best = comparison(*(file(name, LATTICE, inrcodec=1, PNG=2) for name in "ab"))
    assert told(best) == ("inrcodec is the smallest on all 2 pictures with a hidden lattice; the one other codec measured is not smaller.")
    alone = comparison(file("a", inrcodec=1))
    assert told(alone).startswith("Nothing can be said")
    others = comparison(file("a", PNG=1, WebP=2))
    assert "Nothing can be said" in Page(page(others)).said()
    assert totals(others)[0].ours == ""


def test_effort_of_fewest_bytes_is_told_of() -> None:
    first, second = (file(name, PNG=n, ours_1=12, ours_4=m) for name, n, m in (("a", 20, 10), ("b", 5, 11)))
    found = comparison(first, second)
    table = totals(found)[0]
    assert table.ours == "inrcodec -4"
    assert table.summary.score.smaller == 1
    assert [gain(one, table.ours) for one in found.files] == [0.5, pytest.approx(-1.2)]
    assert gain(file("a", inrcodec=5), "inrcodec") is None
    assert cost(table) == (
        f"In total inrcodec -4 takes 0.840{T}× the bytes of PNG, the smallest other codec. "
        f"Encoding takes 0.84{T}× as long, decoding 0.84{T}× as long."
    )


def test_faults_stand_once_for_all_files() -> None:
    why = {"Blosc2": "takes no pictures"}
    said = Page(page(comparison(*(file(f"name{i}", faults=why, inrcodec=1, PNG=2) for i in range(40))))).said()
    assert said.count("takes no pictures") == 1
    assert "and 28 more" in said


def test_sums_of_nothing_are_no_fault() -> None:
    nothing = Measurement("inrcodec", "", 0, 0.0, 0.0)
    found = comparison(FileResult("a", ARRAYS, "array", (1,), "bool", 0, 0, (nothing, replace(nothing, codec="PNG")), {}))
    assert "a" in Page(page(found)).said()


# Charts


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12))
def test_front_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    def dominated(p: tuple[int, int]) -> bool:
        return any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)

    found = front(points)
    assert sorted(found) == [i for i, p in enumerate(points) if not dominated(p)]
    assert [points[i] for i in found] == sorted(points[i] for i in found)


@given(st.floats(1e-6, 1e5), st.floats(1, 1e6))
def test_axes_hold_their_points(least: float, factor: float) -> None:
    low, high, marks = decades(least, least * factor)
    assert 10**low < least <= least * factor < 10**high
    assert sum(bool(text) for _, text in marks) >= 3
    assert all(10**low * 0.999 <= value <= 10**high * 1.001 for value, _ in marks)
    bottom, top, ticks = steps(least, least * factor)
    assert 0 <= bottom < least * factor < top
    assert 3 <= len(ticks) <= 12
    assert len({text for _, text in ticks}) == len(ticks)
    assert all(float(text) == pytest.approx(value) for value, text in ticks)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(60, 380), st.floats(40, 260)), min_size=1, max_size=8))
def test_labels_stay_inside(points: list[tuple[float, float]]) -> None:
    labels = placed(points, ["JPEG XL"] * len(points), sorted(points)[:1])
    assert all(label.box.outside(PLOT) < 1e-6 for label in labels)


def test_labels_of_near_points_do_not_cover_each_other() -> None:
    points = [(200.0 + 4 * i, 150.0 + 3 * i) for i in range(6)]
    boxes = [label.box for label in placed(points, ["JPEG 2000"] * 6, [])]
    assert all(a.overlap(b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_charts_mark_the_front() -> None:
    found = comparison(
        replace(file("a"), measurements=tuple(measured(*m) for m in (("inrcodec", 10, 9, 9), ("PNG", 20, 1, 1), ("Slow", 20, 5, 1))))
    )
    encode, decode = charts(totals(found)[0])
    assert {p.codec: p.front for p in encode.points} == {"inrcodec": True, "PNG": True, "Slow": False}
    assert {p.codec: p.front for p in decode.points} == {"inrcodec": True, "PNG": True, "Slow": True}
    assert [p.codec for p in encode.points] == ["PNG", "Slow", "inrcodec"]
    assert encode.across == "seconds per megapixel to encode"
    xs = {p.codec: p.x for p in encode.points}
    assert xs["PNG"] < xs["Slow"] < xs["inrcodec"]
    ys = {p.codec: p.y for p in encode.points}
    assert ys["inrcodec"] > ys["PNG"] == ys["Slow"]


# The chosen picture


def picture(height: int = 20, width: int = 30, channels: tuple[int, ...] = (3,), dtype: str = "uint8") -> Choice:
    rng = np.random.default_rng(0)
    samples = np.cumsum(rng.integers(-2, 3, (height, width, *channels)), axis=1).astype(dtype)
    signal = Signal(samples, "image")
    return Choice("a <b>.png", signal, inrcodec.encode(signal, profile="stored"))


def test_chosen_picture_has_map_and_all_planes() -> None:
    choice = picture()
    text = page(compared(3), choice)
    read = Page(text)
    views = [(a["data-view"], a["data-group"], a["data-name"]) for a in read.of("figure") if "data-view" in a]
    assert views[:2] == [("picture", "", "picture"), ("map", "", "all planes")]
    assert [v for v in views if v[0] == "plane"] == [("plane", c, f"bit {b}") for c in ("red", "green", "blue") for b in reversed(range(8))]
    assert "a <b>.png" in read.said()
    assert "shrunk" not in read.said()
    found = chosen(choice)
    assert found.picture is not None
    assert (found.picture.width, found.picture.height) == (30, 20)
    bits = 8 * len(choice.data)
    mean, outside = (
        float(re.findall(pattern, found.maps[0].note.replace(T, ""))[0]) for pattern in (r"^([\d.]+) bits", r"([\d.]+) bits of the file")
    )
    assert mean * 600 + outside == pytest.approx(bits, rel=0.02)


def test_large_pictures_are_shrunk_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PICTURE_BYTES", 9000), ("MAP_BYTES", 9000), ("PLANE_BYTES", 9000)):
        monkeypatch.setattr(f"inrcodec.report.chosen.{name}", value)
    found = chosen(picture(200, 300))
    assert found.picture is not None
    assert found.picture.width < 300
    assert f"at most {found.picture.width} pixels" in found.shrunk
    assert "middle" in found.cropped
    assert found.planes[0].width < 300
    assert sum(len(image.address) for image in found.planes) < 9000 * 1.5 + 24 * 150
    assert len(found.picture.address) < 9000 * 1.4


@pytest.mark.parametrize(
    ("signal", "groups", "depth"),
    [
        (Signal(np.arange(24, dtype=np.uint16).reshape(4, 6), "image", 12), ["grey"], 12),
        (Signal(np.arange(48, dtype=np.uint8).reshape(4, 6, 2), "image"), ["grey", "alpha"], 8),
        (Signal(np.arange(96, dtype=np.uint8).reshape(4, 6, 4), "image", metadata={"tiff/photometric": b"5"}), [*INK_NAMES], 8),
        (Signal(np.arange(120, dtype=np.uint8).reshape(4, 6, 5), "image"), [f"channel {i}" for i in range(5)], 8),
        (Signal(np.arange(72, dtype=np.uint8).reshape(3, 4, 6), "stack"), ["grey"], 8),
        (Signal(np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6), "array"), ["channel 0"], 32),
    ],
)
def test_other_pictures(signal: Signal, groups: Sequence[str], depth: int) -> None:
    found = chosen(Choice("x", signal, inrcodec.encode(signal, profile="stored")))
    assert list(dict.fromkeys(image.group for image in found.planes)) == groups
    assert len(found.planes) == depth * len(groups)
    assert found.maps
    assert not found.faults
    assert ("page 1 of 3" in found.facts) == (signal.kind == "stack")


def test_the_map_is_made_within_limits_and_can_be_stopped() -> None:
    choice = picture()
    found = chosen(replace(choice, options=Options(max_samples=10)))
    assert "could not be made" in found.faults[0]
    with pytest.raises(Stopped):
        chosen(replace(choice, options=Options(stop=lambda: True)))


def test_sound_is_no_picture_and_a_damaged_file_has_no_map() -> None:
    sound = Signal(np.zeros(100, np.int16), "audio", sample_rate=8000)
    assert chosen(Choice("x", sound, b"")).faults == ["This is no picture, so there is nothing to look at."]
    whole = picture()
    found = chosen(replace(whole, data=whole.data[:-30]))
    assert found.maps == []
    assert found.planes
    assert found.faults[0].startswith("The map of where the bits go could not be made")
    assert "could not be made" in Page(page(compared(1), replace(whole, data=whole.data[:-30]))).said()


# Words


def test_words() -> None:
    assert number(1234567) == f"1{T}234{T}567"
    assert [significant(x) for x in (0, 1, 9.996, 0.012345, 12345, 0.00001)] == ["0", "1.00", "10.0", "0.0123", f"12{T}300", "0.0000100"]
    assert significant(0.5, 1) == "0.5"
    assert significant(100.0, 1) == "100"
    assert [size(n) for n in (1, 999, 1000, 12_345_678)] == [f"1{T}byte", f"999{T}bytes", f"1.00{T}kB", f"12.3{T}MB"]
    assert percent(-0.123) == f"−12.3{T}%"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert date("2026-11-29T22:40:00+00:00") == "2026-11-29 22:40 UTC"
    assert date("yesterday") == "yesterday"
    assert visible("a\nb\u202ec\x00\udcff\x85é") == r"a\nb\u202ec\x00\udcff\x85é"


@given(st.floats(1e-9, 1e12), st.integers(1, 6))
def test_significant_is_near(x: float, digits: int) -> None:
    assert float(significant(x, digits).replace(T, "")) == pytest.approx(x, rel=0.51 * 10.0 ** (1 - digits))


def test_bench_writes_the_page(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    result = CliRunner().invoke(cli.main, ["bench", str(photo), "-e", "1", "-c", "png", "--html", str(target)])
    assert result.exit_code == 0, result.output
    read = Page(target.read_text(encoding="utf-8"))
    assert f"{photo.name}: 24 × 20 pixels, 3 channels, uint8" in read.said()
    assert next(text for tag, text in read.texts if tag == "h1").startswith("inrcodec is the smallest on ")
    assert "picture" in {a.get("data-view") for a in read.of("figure")}
