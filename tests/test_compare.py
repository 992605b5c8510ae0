"""Comparisons of codecs: what they find is true, a codec that fails is named and ends nothing else, and sums are of what all took."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
from PIL import Image

import inrcodec
from inrcodec import FormatError, InrcodecError, Signal
from inrcodec.compare import Settings, Status, compare, summary, trial
from inrcodec.compare.memory import Peak
from inrcodec.compare.result import ARRAYS, LATTICE, PLAIN, SOUND, UNSURE, Comparison, FileResult, Measurement
from inrcodec.compare.run import _group
from inrcodec.compare.trial import COMPILING, FIRST, STARTED, Bench, Trial
from inrcodec.compare.worker import Worker
from inrcodec.kernels import events
from inrcodec.peers import Unsuited
from inrcodec.peers.pictures import JpegLs, Png
from tests.peers import Absent, Dying, Failing, Greedy, Hanging, Plain, Vanishing, Wrong


def example() -> Comparison:
    """Three files and some codecs."""
    return Comparison(
        files=(
            FileResult(
                "a/photo.png",
                LATTICE,
                "image",
                (10, 20, 3),
                "uint8",
                600,
                500,
                (Measurement("PNG", "level 9", 400, 0.1, 0.01, 1000), Measurement("inrcodec", "effort 4", 200, 1.0, 1.1, None)),
                {"FLAC": "takes sound"},
            ),
            FileResult("b.wav", SOUND, "audio", (100, 2), "int16", 400, 444, (Measurement("inrcodec", "effort 4", 100, 1.0, 1.0),)),
            FileResult("c.tif", PLAIN, "stack", (5, 10, 20), "uint8", 1000, 1200, (), {"inrcodec": "timed out"}),
        ),
        missing={"WavPack": "wavpack is not on PATH"},
        refused={"d.jpg": "lossy"},
        versions={"inrcodec": "1.0"},
        machine="one core",
        command="inrcodec bench .",
        threads=1,
        date="2025-01-01T00:00:00+00:00",
    )


def test_comparisons_are_json_and_back() -> None:
    found = example()
    assert Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.groups == [LATTICE, PLAIN, SOUND]
    assert found.codecs() == ["inrcodec", "PNG", "FLAC"]
    assert found.codecs(ARRAYS) == []
    assert [file.places for file in found.files] == [200, 200, 1000]


@pytest.mark.parametrize("change", [{"version": 2}, {"files": [{}]}, {"files": None}, {"strange": 1}, {"files": [1]}])
def test_what_is_no_comparison_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="comparison"):
        Comparison.from_json(example().to_json() | change)
    with pytest.raises(FormatError):
        Comparison.from_json({})


# --- what is measured -----------------------------------------------------------------------------------------------


def picture(path: Path, top: int = 200, size: int = 40) -> Path:
    """A PNG file of grey noise below `top`, with a density."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(1).integers(0, top, (size, size)).astype(np.uint8)).save(path, dpi=(300, 300))
    return path


def test_files_in_folders_are_measured_and_others_named(tmp_path: Path) -> None:
    name = picture(tmp_path / "in" / "a" / "photo.png")
    np.save(tmp_path / "in" / "array.npy", np.arange(60, dtype=np.int16).reshape(2, 30) // 9)
    np.savez(tmp_path / "in" / "several.npz", a=np.arange(3))
    (tmp_path / "in" / "bad.png").write_bytes(name.read_bytes()[:40])
    (tmp_path / "in" / "notes.txt").write_text("x", encoding="utf-8")
    Image.new("RGB", (9, 9)).save(tmp_path / "in" / "lossy.jpg")
    seen: list[Status] = []
    settings = Settings(efforts=(1, 2), peers=(Png(), Absent()), threads=1, command="as told")
    found = compare([tmp_path / "in"], settings, seen.append)
    assert [file.path for file in found.files] == ["a/photo.png", "array.npy"]
    photo, array = found.files
    assert (photo.group, photo.kind, photo.shape, photo.dtype, photo.raw) == (PLAIN, "image", (40, 40), "uint8", 1600)
    assert photo.source == name.stat().st_size
    assert [one.codec for one in photo.measurements] == ["inrcodec -1", "inrcodec -2", "PNG"]
    samples = np.asarray(Image.open(name))
    assert photo.measurements[0].size == len(inrcodec.encode(samples, kind="image", effort=1))  # without the density
    assert photo.measurements[2].size <= len(imagecodecs.png_encode(samples, level=9))
    assert [one.codec for one in array.measurements] == ["inrcodec -1", "inrcodec -2"]
    assert array.group == ARRAYS
    for one in (*photo.measurements, *array.measurements):
        assert one.encode > 0
        assert one.decode > 0
        assert (one.memory is not None and 0 <= one.memory < 1 << 30) if sys.platform == "linux" else one.memory is None
    assert sorted(found.refused) == ["bad.png", "lossy.jpg", "notes.txt", "several.npz"]
    assert "lossy" in found.refused["lossy.jpg"]
    assert str(tmp_path) not in found.refused["bad.png"]
    assert found.missing == {"absent": "it is nowhere"}
    assert found.versions["inrcodec"] == inrcodec.__version__
    assert found.versions["PNG"].startswith("libpng")
    assert (found.threads, found.command, found.complete) == (1, "as told", True)
    assert [status.codec for status in seen] == ["inrcodec -1", "inrcodec -2", "PNG", "inrcodec -1", "inrcodec -2"]
    assert [status.share for status in seen] == sorted(status.share for status in seen)
    assert (seen[-1].path, seen[-1].done, seen[-1].total) == ("array.npy", 1, 4)  # two are found out later
    assert Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_pictures_with_a_lattice_are_a_group_and_lossy_ones_are_taken_on_request(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:120, 0:120]
    colours = np.stack((rows + columns // 2, columns + 40 * np.sin(rows / 9) + 40, 200 - rows), 2)
    noisy = colours + np.random.default_rng(0).normal(0, 6, colours.shape)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(tmp_path / "photo.jpg", quality=95, subsampling=0)
    found = compare([tmp_path / "photo.jpg"], Settings(efforts=(1,), peers=(JpegLs(),), pixels=True))
    assert [file.group for file in found.files] == [LATTICE]
    assert found.files[0].path == "photo.jpg"
    with pytest.raises(InrcodecError, match=r"photo\.jpg: .*lossy"):
        compare([tmp_path / "photo.jpg"], Settings(efforts=(1,), peers=()))


def test_codecs_that_fail_are_named_and_end_nothing(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png", top=8)
    picture(tmp_path / "in" / "b.png", size=130)
    found = compare([tmp_path / "in"], Settings(efforts=(1,), peers=(Plain(), Dying())))
    dark, large = found.files
    assert [one.codec for one in dark.measurements] == ["inrcodec", "plain"]
    assert dark.faults == {"dying": "crashes: its process ended"}
    assert [one.codec for one in large.measurements] == ["inrcodec", "plain", "dying"]
    assert large.of("plain") == replace(large.measurements[1], size=130 * 130)


NOISE = Signal(np.random.default_rng(1).integers(0, 200, (130, 130)).astype(np.uint8), "image")


def tried(peer: Plain, folder: Path, told: list[str] | None = None) -> Trial:
    return Bench(peer, folder, 1, (told if told is not None else []).append).measure(NOISE)


@pytest.mark.parametrize(
    ("peer", "why"),
    [
        (Wrong(), "did not give it back"),
        (Failing(), "fails: no such colour"),
        (Vanishing(), "fails: its file is gone"),
        (Greedy(), "fails: not enough memory"),
    ],
)
def test_faults_of_codecs_are_told(peer: Plain, why: str, tmp_path: Path) -> None:
    with pytest.raises(Unsuited) as raised:
        tried(peer, tmp_path)
    assert str(raised.value) == why


def test_pictures_of_which_inrcodec_gave_nothing_are_in_no_group_of_lattices() -> None:
    ours, other = Measurement("inrcodec -1", "", 1, 1.0, 1.0), Measurement("PNG", "", 1, 1.0, 1.0)
    assert _group(False, [other]) == UNSURE
    assert _group(False, [other, ours]) == PLAIN
    assert _group(True, [ours]) == LATTICE


def test_a_codec_that_hangs_is_ended_with_its_programs(tmp_path: Path) -> None:
    worker = Worker(Hanging(tmp_path / "pid"), tmp_path, 1)
    with pytest.raises(Unsuited, match=r"^took longer than 2 s$"):
        worker.measure(NOISE, 2.0)
    assert _ended(int((tmp_path / "pid").read_text(encoding="ascii")))


class Telling(Worker):
    """A worker whose process says what it is told to; it notes how many seconds each answer may take."""

    def __init__(self, answers: Sequence[object], compiles: bool = False) -> None:
        peer = Plain()
        peer.compiles = compiles
        super().__init__(peer, Path(), 1)
        self.answers, self.waited = [*answers], list[float]()

    def _start(self) -> None:
        self._process, self._pipe = object(), SimpleNamespace(send=lambda signal: None)

    def _answer(self, seconds: float, stop: object) -> object:
        self.waited.append(seconds)
        return self.answers.pop(0)

    def close(self) -> None:
        self._process = None


TRIED = Trial(1, 1.0, 1.0, None, {})


def test_the_timeout_is_that_of_one_run() -> None:
    worker = Telling([STARTED, FIRST, TRIED])
    assert worker.measure(NOISE, 5) == TRIED
    assert worker.waited == [35, 5, 15]
    ours = Telling([STARTED, COMPILING, STARTED, FIRST, TRIED], compiles=True)
    assert ours.measure(NOISE, 5) == TRIED
    assert ours.waited == [335, 5, 305, 5, 15]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([None], "took longer than 35 s to start and to code a small part of it"),
        ([STARTED, None], "took longer than 5 s"),
        ([STARTED, COMPILING, None], "took longer than 305 s with compiling"),
        ([STARTED, FIRST, None], "took longer than 15 s when it was repeated"),
        (["fails: no"], "fails: no"),
    ],
)
def test_what_took_too_long_is_told(answers: list[object], why: str) -> None:
    with pytest.raises(Unsuited) as raised:
        Telling(answers).measure(NOISE, 5)
    assert str(raised.value) == why


def test_samples_that_cannot_be_handed_over_are_a_fault() -> None:
    def send(signal: Signal) -> None:
        raise MemoryError

    worker = Telling([])
    worker._start()
    worker._pipe.send = send
    with pytest.raises(Unsuited, match="not enough memory"):
        worker.measure(NOISE, 5)


class Loading(Plain):
    """Loads or compiles a kernel in some of its runs."""

    def __init__(self, *what: Callable[[], None]) -> None:
        self.what, self.runs = [*what], 0

    def encode(self, prepared: Signal, threads: int) -> bytes:
        self.runs += 1
        if self.what:
            self.what.pop(0)()
        return super().encode(prepared, threads)


@pytest.mark.parametrize(
    ("what", "runs", "said"),
    [
        ([], 1, [STARTED, FIRST]),
        ([events.first_load], 2, [STARTED, FIRST]),
        ([events.first_compile], 2, [STARTED, COMPILING, STARTED, FIRST]),
    ],
)
def test_runs_in_which_kernels_were_loaded_or_compiled_are_repeated(
    what: list[Callable[[], None]], runs: int, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SHORT", 0.0)  # nothing is
    told: list[str] = []
    peer = Loading(*what)
    tried(peer, tmp_path, told)
    assert peer.runs == runs
    assert told == said


def _ended(pid: int) -> bool:
    """Whether a process has ended, within some seconds: what nobody waits for may be there for a while, as a zombie."""
    for _ in range(100):
        try:
            if sys.platform == "win32":
                return True  # there it is left: a process ends no others
            os.kill(pid, 0)
            status = Path(f"/proc/{pid}/status")
            if status.exists() and "State:\tZ" in status.read_text(encoding="utf-8"):
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_a_run_that_is_stopped_keeps_what_was_measured(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "in" / name)
    seen: list[Status] = []
    found = compare([tmp_path / "in"], Settings(efforts=(1,), peers=(Png(),)), seen.append, lambda: len(seen) > 3)
    assert [file.path for file in found.files] == ["a.png"]
    assert not found.complete
    nothing = compare([tmp_path / "in"], Settings(efforts=(1,), peers=()), None, lambda: True)
    assert not nothing.files
    assert not nothing.complete


def test_nothing_to_measure_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InrcodecError, match=r"no file to measure$"):
        compare([tmp_path], Settings(peers=()))
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "more.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InrcodecError, match=r"no file to measure \(2 were refused; the first: more\.txt: not a known type\)$"):
        compare([tmp_path], Settings(peers=()))
    with pytest.raises(InrcodecError, match=r"nothing\.png: "):
        compare([tmp_path / "nothing.png"], Settings(peers=()))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_peak_is_that_above_the_rest() -> None:
    size = 64 << 20
    held = np.ones(size, np.uint8)
    peak = Peak()
    assert (peak.above() or 0) < size // 4
    more = np.ones(size, np.uint8)
    assert size <= (peak.above() or 0) + (1 << 20)
    del more
    assert size <= (peak.above() or 0) + (1 << 20)
    assert (Peak().above() or 0) < size // 4  # an earlier peak is forgotten
    assert held[-1] == 1


# --- sums -----------------------------------------------------------------------------------------------------------


def file(path: str, sizes: dict[str, int], faults: dict[str, str] | None = None) -> FileResult:
    measurements = tuple(Measurement(codec, "s", size, size / 100, size / 1000, size) for codec, size in sizes.items())
    return FileResult(path, PLAIN, "image", (10, 10, 3), "uint8", 300, 250, measurements, faults or {})


def test_sums_are_of_the_files_that_all_of_a_table_took() -> None:
    files = (
        file("a", {"inrcodec": 100, "PNG": 200, "WebP": 90}),
        file("b", {"inrcodec": 50, "PNG": 60, "WebP": 49}),
        file("c", {"inrcodec": 80, "PNG": 70}, {"WebP": "takes no pictures of 16 bits", "AVIF": "fails"}),
        file("d", {"inrcodec": 60, "PNG": 70, "WebP": 70, "AVIF": 10}),
    )
    (table,) = summary.summarize(replace(example(), files=files))
    assert [one.path for one in table.files] == ["a", "b", "d"]
    assert [(row.codec, row.size, row.memory) for row in table.rows] == [("inrcodec", 210, 100), ("PNG", 330, 200), ("WebP", 209, 90)]
    assert table.rows[0].encode == pytest.approx(2.1)
    assert (table.total, table.raw, table.source, table.places, table.unit) == (4, 900, 750, 300, "pixel")
    assert table.aside == (summary.Aside("AVIF", 1, "fails"),)
    assert table.smaller == (
        summary.Smaller("WebP", (("a", 0.9), ("b", 0.98)), 3),
        summary.Smaller("PNG", (("c", 0.875),), 4),
        summary.Smaller("AVIF", (("d", 10 / 60),), 1),
    )


def test_codecs_that_share_no_file_are_not_in_one_table() -> None:
    files = (file("a", {"inrcodec": 100, "PNG": 200}, {"AVIF": "no"}), file("b", {"inrcodec": 50, "AVIF": 60}, {"PNG": "no"}))
    (table,) = summary.summarize(replace(example(), files=files))
    assert [row.codec for row in table.rows] == ["inrcodec", "PNG"]
    assert table.aside == (summary.Aside("AVIF", 1, "no"),)


def test_formulas_are_texts_in_csv() -> None:
    plain = example().files[0]
    names = ["=1+1.png", "+a.png", "-b.png", "@c.png", "\td.png", "\re.png", "f=.png"]
    found = replace(example(), files=tuple(replace(plain, path=name) for name in names), refused={"=g.png": "lossy"})
    rows = list(csv.DictReader(io.StringIO(summary.to_csv(found), newline="")))
    paths = list(dict.fromkeys(row["path"] for row in rows))
    assert paths == [*(f"'{name}" for name in names[:6]), "f=.png", "'=g.png"]


def test_where_inrcodec_failed_and_is_equal_counts() -> None:
    files = (
        file("a", {"inrcodec": 100, "PNG": 200}),
        file("b", {"inrcodec": 50, "PNG": 50}),
        file("c", {"PNG": 70}, {"inrcodec": "fails"}),
        file("d", {"inrcodec": 60}),
    )
    (table,) = summary.summarize(replace(example(), files=files))
    assert (table.ours, table.score) == ("inrcodec", summary.Score(files=3, smaller=1, equal=1, failed=1))


def test_the_effort_of_the_fewest_bytes_is_judged() -> None:
    files = (file("a", {"inrcodec -1": 100, "inrcodec -5": 90, "PNG": 95}), file("b", {"inrcodec -1": 50, "inrcodec -5": 55, "PNG": 52}))
    (table,) = summary.summarize(replace(example(), files=files))
    assert table.ours == "inrcodec -5"
    assert table.score == summary.Score(2, 1, 0, 0)
    assert table.smaller == (summary.Smaller("PNG", (("b", 52 / 55),), 2),)


def test_the_smallest_effort_and_the_median_count() -> None:
    files = [file("a", {"inrcodec -1": 100, "inrcodec -5": 90, "PNG": 95}), file("b", {"inrcodec -1": 5}), file("c", {"inrcodec -1": 20})]
    (table,) = summary.summarize(replace(example(), files=tuple(files[:1])))
    assert table.smaller == ()
    median = summary.median_file([*files, file("d", {"PNG": 1})])
    assert median is not None
    assert median.path == "c"
    assert summary.median_file([]) is None


def test_csv_has_all() -> None:
    files = (replace(example().files[0], path="ü, \udc80.png"), *example().files[1:])
    text = summary.to_csv(replace(example(), files=files))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["codec"] for row in rows] == ["PNG", "inrcodec", "FLAC", "inrcodec", "inrcodec", ""]
    assert rows[0] | {"path": "ü, \udc80.png", "shape": "10 20 3", "size": "400", "encode": "0.1", "memory": "1000", "fault": ""} == rows[0]
    assert rows[1]["memory"] == ""
    assert rows[2]["fault"] == "takes sound"
    assert (rows[5]["path"], rows[5]["fault"]) == ("d.jpg", "lossy")
