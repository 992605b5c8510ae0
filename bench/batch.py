"""Many files by one process, two jobs, and two Ray workers of which one is killed: the same bytes, and times side by side.

    python -m bench.batch [FOLDER…] [--effort N] [--files N]

Files of several kinds are made by code. Each FOLDER is a set of its own. Each way is the command line, in a process of its own. Of each
set, the estimate of --dry-run, from half a minute, is compared with what encoding took and made in one process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inrcodec import Signal, Tensors, files

from .common import photo8, save, table, tell

KILLED_AFTER = 0.25  # of the files
CORES = 2


class Run(NamedTuple):
    """A run of the command line. seconds: by the clock; core_seconds: of all cores, 0 where other processes do the work; lost: workers."""

    seconds: float
    core_seconds: float
    report: dict[str, Any]
    lost: int


def make(folder: Path, count: int) -> None:
    """Make files: pictures, sounds, arrays, weights, and a few that cannot be encoded."""
    chance, source = np.random.default_rng(1), photo8(250)
    y, x = np.mgrid[0:64, 0:64]
    for i in range(count):
        name = folder.joinpath(f"{i % 7}", f"{i:03}").as_posix()
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        top, left = chance.integers(0, 150, 2)
        crop = np.ascontiguousarray(source[top : top + 60 + i % 40, left : left + 90])
        wave = 6000 * np.sin(np.arange(8000) / (3 + i % 9)) + chance.normal(0, 40, 8000)
        sound = Signal(wave.astype(np.int16)[:, None], "audio", sample_rate=16000)
        field = np.sin((x + i) / 9) * np.cos(y / (5 + i % 5))
        match i % 10:
            case 0 | 1 | 2:
                files.write(Path(f"{name}.png"), Signal(crop, "image"))
            case 3:
                files.write(Path(f"{name}.tif"), Signal(crop.astype(np.uint16) * 17, "image"))
            case 4:
                files.write(Path(f"{name}.wav"), sound)
            case 5:
                files.write(Path(f"{name}.flac"), sound)
            case 6:
                np.save(f"{name}.npy", field.astype(np.float32))
            case 7:
                np.save(f"{name}.npy", chance.poisson(9, (16, 24, 24)).cumsum(0).astype(np.uint16))
            case 8:
                files.write_tensors(Path(f"{name}.safetensors"), Tensors.of({"w": chance.normal(size=(60, 80)).astype(np.float32)}))
            case 9:
                Path(f"{name}.{'txt' if i % 20 == 9 else 'png'}").write_bytes(b"not what its name says" * (i % 3))


def encode(source: Path, target: Path, effort: int, *more: str) -> Run:
    """Encode a folder by the command line."""
    line = [sys.executable, "-m", "inrcodec", "encode", str(source), "-o", str(target), "--effort", str(effort), "--json", *more]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    report = json.loads(done.stdout)
    lost = sum("lost" in notice for file in report.get("files", []) for notice in file.get("notices", []))
    return Run(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, report, lost)


def digest(folder: Path) -> str:
    """Of all names and bytes in a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@contextmanager
def cluster() -> Iterator[str]:
    """A Ray cluster on this machine; its address."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    import ray

    with tempfile.TemporaryDirectory(prefix="r") as folder:
        ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, _temp_dir=folder)
        try:
            yield str(ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


def kill_one(target: Path, wanted: int, ended: threading.Event) -> None:
    """Kill a worker of Ray that does a task, as soon as so many files are there."""
    while not ended.wait(0.02):
        if sum(1 for _ in target.rglob("*.linr")) >= wanted and (busy := _busy_workers()):
            os.kill(busy[0], signal.SIGKILL)
            return


def _busy_workers() -> list[int]:
    """The processes that do a task for the cluster that this process has started."""
    parents = {int(p.name): int((p / "stat").read_text().rpartition(")")[2].split()[1]) for p in _processes()}
    titles = {int(p.name): (p / "cmdline").read_bytes() for p in _processes()}
    mine = {pid for pid, parent in parents.items() if parent == os.getpid()}
    return sorted(pid for pid, title in titles.items() if title.startswith(b"ray::_unpacked") and parents.get(pid) in mine)


def _processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit() and (path / "stat").exists()]


def measure(name: str, source: Path, effort: int, address: str) -> tuple[list[list[Any]], list[Any]]:
    """The rows of a set of files: a row for each way, and one that compares the estimate with the truth."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        tell(f"{name}: estimate")
        guess = encode(source, out / "none", effort, "--dry-run", "--jobs", "1").report["estimate"]
        tell(f"{name}: one process")
        one = encode(source, out / "one", effort, "--jobs", "1")
        tell(f"{name}: two jobs")
        two = encode(source, out / "two", effort, "--jobs", "2")
        tell(f"{name}: two workers")
        plain = encode(source, out / "plain", effort, "--cluster", address)
        tell(f"{name}: two workers, one is killed")
        ended, wanted = threading.Event(), max(1, int(KILLED_AFTER * one.report["done"]))
        killer = threading.Thread(target=kill_one, args=(out / "killed", wanted, ended))
        killer.start()
        killed = encode(source, out / "killed", effort, "--cluster", address)
        ended.set()
        killer.join()
        ways = {"one process": one, "two jobs": two, "two Ray workers": plain, "two Ray workers, one killed": killed}
        same = [digest(out / folder) == digest(out / "one") for folder in ("one", "two", "plain", "killed")]
    rows = [
        [name, way, run.report["done"], run.report["failed"], run.lost, run.seconds, "yes" if equal else "NO"]
        for (way, run), equal in zip(ways.items(), same, strict=True)
    ]
    bytes_, hours = guess["file_bytes"], guess["core_hours"]
    made, spent = one.report["file_bytes"], one.core_seconds
    shares = [f"{100 * (found / real - 1):+.1f} %" for found, real in ((bytes_[0], made), (3600 * hours[0], spent))]
    inside = ["yes" if low <= real <= high else "no" for (_, low, high), real in ((bytes_, made), ([3600 * h for h in hours], spent))]
    sampled = f"{guess['sampled']} of {guess['files']}, {guess['in_part']} in part"
    return rows, [name, sampled, bytes_[0], made, shares[0], inside[0], 3600 * hours[0], spent, shares[1], inside[1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--effort", type=int, default=1)
    parser.add_argument("--files", type=int, default=200)
    given = parser.parse_args()
    rows: list[list[Any]] = []
    guesses: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder, cluster() as address:
        made = Path(folder, "made")
        make(made, given.files)
        for source in (made, *given.folders):
            name = f"{given.files} files, made here" if source is made else source.name
            some, guess = measure(name, source, given.effort, address)
            rows += some
            guesses.append(guess)
    heads = ["files", "way", "done", "failed", "workers lost", "seconds", "same bytes"]
    estimates = [
        "files",
        "sampled",
        "bytes, estimated",
        "bytes",
        "error",
        "in interval",
        "core seconds, estimated",
        "core seconds",
        "error",
        "in interval",
    ]
    save(
        "batch",
        f"Many files, effort {given.effort}",
        [
            "Seconds are by the clock, with the start of the program; of Ray, the cluster is there before. One of two workers is killed "
            f"when {100 * KILLED_AFTER:.0f} % of the files are done: Ray starts another, and the file that it did is done again.",
            table(heads, rows),
            "## Estimates\n\nFrom at most 30 s, against encoding in one process.",
            table(estimates, guesses),
        ],
        "ray",
    )


if __name__ == "__main__":
    main()
