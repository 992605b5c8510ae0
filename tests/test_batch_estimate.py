"""What many files would cost, from a sample: the total is near, the interval holds it, and nothing is written."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import inrcodec
from inrcodec import Signal, batch
from inrcodec.batch import doing, estimate, plan
from inrcodec.batch.estimate import Estimate, Interval, Seen
from inrcodec.batch.tasks import Task
from inrcodec.cli import main
from inrcodec.tensors import Tensors

RANDOM = np.random.default_rng(11)


def fill(folder: Path) -> None:
    """Pictures of several sizes, sounds, arrays, weights, and files at fault."""
    folder.mkdir()
    for i in range(6):
        y, x = np.mgrid[0 : 60 + 10 * i, 0:90]
        inrcodec.files.write(folder / f"{i}.png", Signal((x + y + RANDOM.integers(0, 5, x.shape)).astype(np.uint8), "image"))
    for i in range(3):
        wave = 3000 * np.sin(np.arange(4000) / (5 + i)) + RANDOM.integers(-9, 9, 4000)
        inrcodec.files.write(folder / f"{i}.wav", Signal(wave.astype(np.int16)[:, None], "audio", sample_rate=8000))
    np.savez(folder / "several.npz", a=np.arange(500), b=RANDOM.integers(0, 9, (30, 30)))
    inrcodec.files.write_tensors(folder / "net.safetensors", Tensors.of({"w": RANDOM.normal(size=(40, 50)).astype(np.float32)}))
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")


def tasks_of(folder: Path, **options: Any) -> tuple[Task, ...]:
    template = doing.template("encode", False, False, {"effort": 1, **options})
    return plan.make(template, [folder], folder.with_name("out")).tasks


def test_files_that_are_all_encoded_leave_no_doubt_of_their_bytes(tmp_path: Path) -> None:
    fill(tmp_path / "in")
    found = estimate.estimate(tasks_of(tmp_path / "in"), 600)
    assert found is not None
    assert not (tmp_path / "out").exists()
    report = batch.encode(tmp_path / "in", tmp_path / "out", jobs=1, effort=1)
    assert (found.files, found.sampled, found.in_part, found.faults) == (len(report.done) + 1, len(report.done), 0, 1)
    assert found.source_bytes == report.source_bytes
    assert tuple(found.file_bytes) == pytest.approx((report.file_bytes,) * 3)
    assert found.core_hours.value > 0
    assert found.longest > 0


def test_a_sample_in_part_is_near_the_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "in")
    (tmp_path / "in" / "damaged.png").unlink()
    whole = batch.encode(tmp_path / "in", tmp_path / "out", jobs=1, effort=1)
    monkeypatch.setattr(estimate, "LEAST", 2000)
    monkeypatch.setattr(estimate, "WANTED", 1 << 60)
    found = estimate.estimate(tasks_of(tmp_path / "in"), 600)
    assert found is not None
    assert found.in_part > 5
    assert found.file_bytes.value == pytest.approx(whole.file_bytes, rel=0.25)
    assert found.file_bytes.low < found.file_bytes.value < found.file_bytes.high
    few = estimate.estimate(tasks_of(tmp_path / "in"), 0)  # no time: one file
    assert few is not None
    assert few.sampled == 1
    assert few.file_bytes.high - few.file_bytes.low > found.file_bytes.high - found.file_bytes.low
    assert estimate.estimate(tasks_of(tmp_path / "in"), 600, stop=lambda: True) is not None


def test_groups_with_more_bytes_are_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(self: object, task: Task) -> Seen:
        looked.append(task.source)
        return Seen(task.size, task.size / 4, task.size / 100, True)

    monkeypatch.setattr(estimate._Look, "__call__", look)
    tasks = [Task("encode", f"{i}.png", size=1000) for i in range(4)] + [Task("encode", "big.tif", size=10**6)]
    found = estimate.estimate(tasks, 600)
    assert looked[0] == "big.tif"
    assert found is not None
    assert found.file_bytes == Interval(251000, 251000, 251000)
    assert found.saved_bytes == Interval(753000, 753000, 753000)
    assert found.core_hours.value * 3600 == pytest.approx(10040)
    assert found.wall_seconds(10**6) == pytest.approx(10000)  # the largest file alone
    assert found.wall_seconds(10, shared=True) == pytest.approx(1004)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_hold_the_total(seed: int) -> None:
    """Of 200 groups of files that compress differently, nearly all totals lie in the intervals of samples of 6."""
    chance, held = random.Random(seed), 0
    for _ in range(200):
        made = [1000 * chance.uniform(0.2, 0.8) for _ in range(60)]
        tasks = [Task("encode", f"{i}.png", size=1000) for i in range(60)]
        group = estimate.Group(tasks, [Seen(1000, n, 1.0, True) for n in made[:6]])
        interval = estimate._total([group], lambda one: one.made)
        held += interval.low <= sum(made) <= interval.high
    assert held > 170


def test_parts_of_what_was_read() -> None:
    chance = random.Random(1)
    for signal in (
        Signal(np.zeros((100, 200, 3), np.uint8), "image", metadata={"text/a": b"x"}),
        Signal(np.zeros((5, 100, 100), np.uint16), "stack"),
        Signal(np.zeros((9000, 2), np.int16), "audio", sample_rate=8000),
        Signal(np.zeros((20, 30, 40), np.float32), "array"),
    ):
        part, share = estimate._part(signal, 1000, chance)
        assert isinstance(part, Signal)
        assert part.samples.size <= 1000
        assert share == part.samples.size / signal.samples.size
        assert (part.kind, part.bit_depth, part.sample_rate) == (signal.kind, signal.bit_depth, signal.sample_rate)
        assert estimate._part(signal, 10**6, chance) == (signal, 1.0)
    tensors = Tensors.of({"w": np.zeros((100, 30)), "b": np.zeros(7), "none": np.zeros((0, 3)), "one": np.float32(1)})
    part, share = estimate._part(tensors, 1000, chance)
    assert isinstance(part, Tensors)
    assert list(part.tensors) == list(tensors.tensors)
    assert share == pytest.approx((33 * 30 + 3 + 1) / 3008, rel=0.05)


def test_nothing_is_said_of_fits_and_of_no_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(99))
    for options in ({"profile": "inr"}, {"tune": True}, {"steps": 9}):
        template = doing.template("encode", False, False, options)
        assert estimate.estimate(plan.make(template, [tmp_path], tmp_path / "out").tasks) is None
    assert estimate.estimate([]) is None
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY no more")
    assert estimate.estimate(tasks_of(tmp_path)) is None


def test_the_command_line(tmp_path: Path) -> None:
    fill(tmp_path / "in")
    result = CliRunner().invoke(main, ["encode", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--effort", "1", "--dry-run"])
    assert "estimated from 11 of 12 files; 1 could not be encoded:" in result.output
    assert "core-hours (" in result.output
    assert not (tmp_path / "out").exists()
    fit = CliRunner().invoke(main, ["encode", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--profile", "inr", "--dry-run"])
    assert "no estimate: a fit takes as long as its options say" in fit.output


def test_how_it_is_told() -> None:
    from inrcodec.cli.estimated import told

    found = Estimate(9, 3, 1, 0, 10**6, Interval(4e5, 3e5, 1.2e6), Interval(0.5, 0.25, 0.75), 60.0)
    assert told(found, 2) == [
        "estimated from 3 of 9 files, of 1 a part:",
        "  1.0 MB → 400.0 kB, saves 600.0 kB (−200.0 kB to 700.0 kB)",
        "  0.5 core-hours (0.25 to 0.75), on 2 cores 15 minutes",
    ]
    assert told(found, 1)[-1].endswith("on 1 core 30 minutes")
