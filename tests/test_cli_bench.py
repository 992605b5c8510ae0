"""`inrcodec bench`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from rich.console import Console

import inrcodec
from inrcodec import Signal, cli
from inrcodec.cli import bench, benchtable
from inrcodec.cli.bar import Bar
from inrcodec.compare import Comparison, FileResult, Measurement
from inrcodec.compare.result import ARRAYS, LATTICE, PLAIN
from inrcodec.compare.run import Settings, planned


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(cli.main, ["bench", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one in a folder below, and what is none."""
    for name, top in (("a.png", 200), ("inside/b.png", 9)):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(1).integers(0, top, (40, 50)).astype(np.uint8)).save(path)
    (tmp_path / "in" / "notes.txt").write_text("x", encoding="utf-8")
    return tmp_path / "in"


def found_of(*files: FileResult, **more: Any) -> Comparison:
    plain: dict[str, Any] = {"missing": {}, "refused": {}, "versions": {"inrcodec": "9.9", "PNG": "libpng 1"}, "machine": "a machine"}
    return Comparison(files, **(plain | {"command": "inrcodec bench x", "threads": 2, "date": "2026-01-01T00:00:00+00:00"} | more))


def file(path: str, group: str = PLAIN, faults: dict[str, str] | None = None, **sizes: int) -> FileResult:
    names = {"ours": "inrcodec", "png": "PNG", "jxl": "JPEG XL"}
    measured = tuple(Measurement(names[codec], "as told", size, size / 10, size / 100, 5 * size) for codec, size in sizes.items())
    kind, shape = ("array", (20, 10)) if group == ARRAYS else ("image", (10, 10, 3))
    return FileResult(path, group, kind, shape, "uint8", 300, 250, measured, faults or {})


def test_a_folder_is_measured(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    result = run(folder, "-e", 1, "-c", "png", "-c", "JPEG-LS", "-t", 1, "--csv", table, "--json")
    plain = json.loads(result.stdout)
    assert (plain["ok"], plain["command"]) == (True, "bench")
    found = plain["comparison"]
    assert found["command"] == f"inrcodec bench {folder} --effort 1 --codec png --codec jpeg-ls --threads 1 --csv {table} --json"
    assert [one["path"] for one in found["files"]] == ["a.png", "inside/b.png"]
    assert [one["codec"] for one in found["files"][0]["measurements"]] == ["inrcodec", "PNG", "JPEG-LS"]
    assert Comparison.from_json(found).refused == {"notes.txt": "not a known type"}
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [(row["path"], row["codec"]) for row in rows[:3]] == [("a.png", "inrcodec"), ("a.png", "PNG"), ("a.png", "JPEG-LS")]
    before = table.read_bytes()
    result = run(folder, "--csv", table, status=1)
    assert "exists already; --force overwrites it" in result.stderr
    assert table.read_bytes() == before


def test_the_table_and_the_picture_of_the_page(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    pages: Any = ModuleType("inrcodec.report")
    pages.Choice = lambda path, signal, data, options: (path, signal, data, options)

    def write(path: Path, found: Comparison, choice: Any, force: bool) -> None:
        path.write_text("page", encoding="utf-8")
        made.append((found, choice))

    pages.write = write
    monkeypatch.setitem(sys.modules, "inrcodec.report", pages)
    monkeypatch.setattr(inrcodec, "report", pages, raising=False)
    page = tmp_path / "page.html"
    with Image.open(folder / "inside" / "b.png") as dense:
        dense.save(folder / "inside" / "b.png", dpi=(300, 300))
    with_result(monkeypatch, found_of(file("a.png", ours=100, png=200), file("inside/b.png", ours=90, png=200)))
    result = run(folder, "-e", 1, "-c", "png", "--html", page, "--picture", "b.png")
    assert page.read_text(encoding="utf-8") == "page"
    ((found, (path, signal, data, options)),) = made
    assert (options.effort, options.verify) == (1, False)
    assert data == inrcodec.encode(signal.samples, kind="image", effort=1)  # without the density, as it is measured
    assert path == "inside/b.png"
    assert isinstance(signal, Signal)
    assert signal.metadata
    assert len(found.files) == 2
    lines = result.stdout.splitlines()
    assert lines[0] == "pictures: 2 files, 600 B of samples"
    assert [line.split()[0] for line in lines[1:5]] == ["bytes", "as", "inrcodec", "PNG"]
    assert lines[-1] == f"{page}: written"


def test_wrong_use_and_nothing_to_measure(folder: Path, tmp_path: Path) -> None:
    assert "--html writes" in run(folder, "--picture", "a.png", status=2).stderr
    run(folder, "-c", "zip", status=2)
    run(folder, "-e", 6, status=2)
    run(folder, "--timeout", 0, status=2)
    run(status=2)
    empty = tmp_path / "empty"
    empty.mkdir()
    table = tmp_path / "all.csv"
    result = run(empty, "--csv", table, status=1)
    assert result.stderr == f"inrcodec: {empty}: there is no file to measure\n"
    assert not table.exists()
    assert "no such file" in run(tmp_path / "none.png", status=1).stderr


def with_result(monkeypatch: pytest.MonkeyPatch, found: Comparison) -> None:
    result: Callable[..., Comparison] = lambda *_: found  # noqa: E731
    monkeypatch.setattr(bench, "compare_planned", result)


def test_faults_of_inrcodec_and_runs_that_were_stopped_have_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = found_of(file("a.png", ours=100, png=200, faults={"JPEG XL": "did not give it back"}))
    with_result(monkeypatch, peer)
    assert "JPEG XL took 0 of 1 file: it did not give it back" in run("x").stdout
    with_result(monkeypatch, found_of(file("a.png", png=200, faults={"inrcodec": "took longer than 5 s"})))
    result = run("x", "--json", status=1)
    assert result.stderr == "inrcodec: a.png: inrcodec took longer than 5 s\n"
    assert json.loads(result.stdout)["faults"] == ["a.png: inrcodec took longer than 5 s"]
    with_result(monkeypatch, replace(peer, complete=False))
    result = run("x", status=130)
    assert result.stdout.startswith("pictures: 1 file")
    assert "interrupted" in result.stderr
    with_result(monkeypatch, found_of(complete=False))
    assert run("x", status=130).stderr == "inrcodec: interrupted; nothing was measured\n"


def test_tables_say_how_much_and_where_others_are_smaller() -> None:
    found = found_of(
        file("a.png", ours=100, png=200, jxl=90),
        file("b.png", ours=100, png=100),
        file("c.png", LATTICE, ours=50, png=200),
        file("d.npy", ARRAYS, ours=50),
        missing={"AVIF": "it is nowhere"},
        refused={"e.jpg": "lossy", "f.txt": "not a known type"},
    )
    assert list(benchtable.lines(found)) == [
        "pictures with a hidden lattice: 1 file, 300 B of samples",
        "                bytes  of raw  bits/pixel        encode        decode  memory",
        "  as they came    250  83.3 %      20.000",
        "  inrcodec         50  16.7 %       4.000        5.00 s        0.50 s   250 B",
        "  PNG             200  66.7 %      16.000  4.0 × slower  4.0 × slower  1.0 kB",
        "  inrcodec makes the smallest file of each.",
        "",
        "pictures: 1 of 2 files, 300 B of samples",
        "  The sums are over the files that all codecs of the table took.",
        "                bytes  of raw  bits/pixel        encode        decode  memory",
        "  as they came    250  83.3 %      20.000",
        "  inrcodec        100  33.3 %       8.000       10.00 s        1.00 s   500 B",
        "  PNG             200  66.7 %      16.000  2.0 × slower  2.0 × slower  1.0 kB",
        "  JPEG XL          90  30.0 %       7.200  1.1 × faster  1.1 × faster   450 B",
        "  inrcodec is the smallest of 0 of 2 files, as small as the smallest of 1.",
        "  JPEG XL is smaller than inrcodec in 1 of 1 file: a.png (−10 %)",
        "",
        "arrays: 1 file, 300 B of samples",
        "                bytes  of raw  bits/sample  encode  decode  memory",
        "  as they came    250  83.3 %       10.000",
        "  inrcodec         50  16.7 %        2.000  5.00 s  0.50 s   250 B",
        "",
        "inrcodec: version 9.9, as told",
        "PNG: libpng 1, as told",
        "JPEG XL: as told",
        "AVIF was not measured: it is nowhere",
        "not measured: e.jpg: lossy",
        "not measured: 1 file of no known type",
        "4 files measured on a machine, 2 threads",
    ]


def test_names_of_pictures(folder: Path) -> None:
    for name in ("x/b.png", "b.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (3, 3)).save(path)
    tasks = planned([folder], Settings()).tasks
    assert [task.name for task in tasks] == ["a.png", "b.png", "inside/b.png", "x/b.png"]
    assert bench._wanted(tasks, "b.png").name == "b.png"
    assert bench._wanted(tasks, "./x/b.png").name == "x/b.png"
    assert bench._wanted(tasks, "photos/x/b.png").name == "x/b.png"
    with pytest.raises(inrcodec.InrcodecError, match=r"c\.png: is none of the files to be measured"):
        bench._wanted(tasks, "c.png")


def test_where_inrcodec_gave_nothing_it_is_not_the_smallest() -> None:
    found = found_of(file("a.png", ours=100, png=200), file("b.png", png=100, faults={"inrcodec": "fails"}))
    assert "  inrcodec is the smallest of 1 of 2 files, and gave nothing of 1." in list(benchtable.lines(found))
    nothing = list(benchtable.lines(found_of(file("a.png", faults={"inrcodec": "fails", "PNG": "fails"}))))
    assert nothing[:3] == ["pictures: 1 file", "  inrcodec took 0 of 1 file: it fails", "  PNG took 0 of 1 file: it fails"]
    assert not any("smallest" in line for line in nothing)


@pytest.mark.parametrize("option", ["--html", "--csv"])
@pytest.mark.parametrize("by", ["name", "symlink", "hardlink"])
def test_inputs_are_never_overwritten(option: str, by: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "compare_planned", lambda *_: pytest.fail("it is measured"))
    source, target = folder / "a.png", tmp_path / "link"
    before = source.read_bytes()
    try:
        if by == "symlink":
            target.symlink_to(source)
        elif by == "hardlink":
            target.hardlink_to(source)
    except OSError:
        pytest.skip("needs links")
    target = source if by == "name" else target
    assert run(folder, option, target, "-f", status=1).stderr == f"inrcodec: {target}: is one of the inputs; give the output another name\n"
    assert source.read_bytes() == before


def test_lossy_pictures_that_are_refused_are_inputs_and_unknown_files_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (9, 9)).save(folder / "lossy.jpg")
    with_result(monkeypatch, found_of(file("a.png", ours=100)))
    assert "is one of the inputs" in run(folder, "--csv", folder / "lossy.jpg", "-f", status=1).stderr
    run(folder, "--csv", folder / "notes.txt", "-f")


def test_codecs_that_were_asked_for_and_gave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with_result(monkeypatch, found_of(file("v.npy", ARRAYS, ours=100)))
    result = run("x", "-c", "png", "--json", status=1)
    assert result.stderr == "inrcodec: none of the codecs asked for was measured: PNG\n"
    assert json.loads(result.stdout)["fault"] == "none of the codecs asked for was measured: PNG"
    assert "PNG was not measured: it takes no file of these kinds" in run("x", "-c", "png", status=1).stdout
    with_result(monkeypatch, found_of(file("v.npy", ARRAYS, ours=100), missing={"pcodec": "the package pcodec is not installed"}))
    result = run("x", "-c", "pcodec", status=1)
    assert result.stdout.count("pcodec was not measured: ") == 1
    with_result(monkeypatch, found_of(file("v.npy", ARRAYS, ours=100), file("a.png", ours=100, png=200)))
    assert "pcodec was not measured" in run("x", "-c", "pcodec", "-c", "png").stdout


def test_all_that_was_refused_is_told(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    result = run(tmp_path, status=1)
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [["not measured", "a.jpg"], ["not measured", "b.jpg"]]
    assert sorted(json.loads(run(tmp_path, "--json", status=1).stdout)["refused"]) == ["a.jpg", "b.jpg"]


def test_files_that_came_smaller_are_told() -> None:
    found = found_of(file("a.png", ours=260, png=300), file("b.png", ours=100, png=300))
    assert "  1 file as it came is smaller than inrcodec makes it." in list(benchtable.lines(found))


def test_what_stands_in_for_a_codec_is_told() -> None:
    found = found_of(file("a.png", ours=260, png=300), missing={"PNG": "another encodes instead"})
    assert "PNG: another encodes instead" in list(benchtable.lines(found))


def test_a_wrong_picture_is_told_before_anything_is_measured(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "compare_planned", lambda *_: pytest.fail("it is measured"))
    result = run(folder, "--html", tmp_path / "page.html", "--picture", "c.png", status=1)
    assert result.stderr == "inrcodec: c.png: is none of the files to be measured\n"


def test_tables_are_printed_though_the_page_fails(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(file("a.png", ours=100, png=200), file("inside/b.png", ours=100, png=300))
    table, page = tmp_path / "all.csv", tmp_path / "page.html"

    def measure(*_: object) -> Comparison:
        (folder / "a.png").write_bytes(b"no picture any more")
        return found

    monkeypatch.setattr(bench, "compare_planned", measure)
    result = run(folder, "--html", page, "--csv", table, "--picture", "a.png", status=1)
    assert result.stdout.startswith("pictures: 2 files")
    assert len(result.stderr.splitlines()) == 1
    assert "a.png" in result.stderr
    assert table.exists()
    assert not page.exists()


def test_what_came_meanwhile_is_not_overwritten(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"

    def measure(*_: object) -> Comparison:
        page.write_text("of somebody else", encoding="utf-8")
        return found_of(file("x.npy", ARRAYS, ours=100))

    monkeypatch.setattr(bench, "compare_planned", measure)
    assert "exists already" in run(folder, "--html", page, status=1).stderr
    assert page.read_text(encoding="utf-8") == "of somebody else"
    run(folder, "--html", page, "--force")
    assert "x.npy" in page.read_text(encoding="utf-8")


def test_after_ctrl_c_the_page_has_no_picture(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"
    found = found_of(file("a.png", ours=100, png=200))
    with_result(monkeypatch, replace(found, complete=False))
    run(folder, "--html", page, status=130)
    assert "One picture" not in page.read_text(encoding="utf-8")
    with_result(monkeypatch, found)
    monkeypatch.setattr(bench, "interruptible", lambda say: nullcontext(lambda: True))
    run(folder, "--html", page, "--force")
    assert "One picture" not in page.read_text(encoding="utf-8")


def test_a_bar_keeps_its_place_beside_a_brief_text() -> None:
    out = io.StringIO()
    bar = Bar(Console(file=out, width=100, force_terminal=True), brief=True)
    bar.show("measuring", 0.5, "1 of 2 files, WebP")
    bar.progress.refresh()
    bar.close()
    drawn = [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").splitlines() if "WebP" in line]
    assert drawn
    assert re.fullmatch(r"[━╸╺]+ measuring   50%.*  1 of 2 files, WebP *", drawn[-1])
