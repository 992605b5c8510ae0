"""What is left when runs are killed: `python -m bench.crashes --trials 100 --seed 1`.

Encoding and decoding are killed by SIGKILL at random moments, as a crash of the system would end them. Half of the moments are spread over
the whole run, the others over the few milliseconds after a temporary file has appeared. Then the output must be absent, the old one, or
whole. What is left beside it must be gone after the next run.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from inrcodec import Signal, files
from inrcodec.storage import OURS

from .common import photo8, save, table, tell

SIZE = 64  # pixels; a run then takes about half a second
WRITING = 0.004  # seconds from the temporary file to the last of the moments in which it is killed
PATIENCE = 60.0  # seconds
OLD = b"the old file"
HEADS = ["runs", "trials", "killed", "absent", "old", "whole", "broken", "left a temporary file", "still there after the next run"]


@dataclass(frozen=True)
class Case:
    """Runs that are killed. command: "encode" or "decode"; force: whether an old output is to be overwritten; writers: 1, or 2 at once."""

    command: str
    force: bool
    writers: int

    @property
    def name(self) -> str:
        """What the table says."""
        over = "over an old file" if self.force else "to a new name"
        return f"{self.command} {over}{', one of two writers at once' if self.writers > 1 else ''}"


CASES = [Case(command, force, writers) for writers in (1, 2) for command in ("encode", "decode") for force in (False, True)]


class Scene:
    """A folder with two pictures, coded and not, and what a whole run makes of each."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.inputs: dict[str, list[Path]] = {"encode": [], "decode": []}
        self.whole: dict[str, list[bytes]] = {"encode": [], "decode": []}
        self.seconds: dict[str, float] = {}
        picture = photo8(2 * SIZE)
        for i, samples in enumerate((picture[:SIZE, :SIZE], picture[SIZE:, SIZE:])):
            source, coded = folder / f"in{i}.png", folder / f"in{i}.linr"
            files.write(source, Signal(samples.copy(), "image"))
            for command, given, made in (("encode", source, coded), ("decode", coded, folder / f"back{i}.png")):
                self.run(command, given, made).wait()  # the first compiles
                started = time.perf_counter()
                self.run(command, given, made, force=True).wait()
                self.seconds[command] = time.perf_counter() - started
                self.inputs[command].append(given)
                self.whole[command].append(made.read_bytes())

    def run(self, command: str, source: Path, output: Path, force: bool = False) -> subprocess.Popen[bytes]:
        """Start a run in a process of its own."""
        given = [sys.executable, "-m", "inrcodec", command, str(source), "-o", str(output), "--threads", "1"]
        given += ["--effort", "1", "--quiet"] if command == "encode" else []
        return subprocess.Popen([*given, *(["--force"] if force else [])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def trial(self, case: Case, while_writing: bool) -> Counter[str]:
        """Kill a run, and count what it left, under the heads of the table. With two writers, the other one may end."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        out = place / ("out.linr" if case.command == "encode" else "out.png")
        if case.force:
            out.write_bytes(OLD)
        runs = [self.run(case.command, source, out, case.force) for source in self.inputs[case.command][: case.writers]]
        if while_writing:
            patient = time.perf_counter() + PATIENCE
            while not left(place) and runs[0].poll() is None and time.perf_counter() < patient:
                pass
            pause(self.random.uniform(0, WRITING))
        else:
            pause(self.random.uniform(0, 1.1 * self.seconds[case.command] * case.writers))
        runs[0].kill()
        found = Counter(killed=int(runs[0].wait() != 0))
        others = [run.wait() for run in runs[1:]]
        if not out.exists():
            state = "absent"
        elif out.read_bytes() == OLD:
            state = "old"
        else:
            state = "whole" if out.read_bytes() in self.whole[case.command][: case.writers] else "broken"
        if others and state in ("absent", "old"):
            state = "broken"  # the other run was to write it
        found[state] += 1
        found["left a temporary file"] += bool(left(place))
        if left(place):
            self.run("decode", self.inputs["decode"][0], place / "next.npy").wait()
            found["still there after the next run"] += bool(left(place))
        shutil.rmtree(place)
        return found


def left(place: Path) -> list[str]:
    """The temporary files in a folder."""
    return [path.name for path in place.iterdir() if OURS.fullmatch(path.name)]


def pause(seconds: float) -> None:
    """Wait, more exactly than a short sleep does."""
    end = time.perf_counter() + seconds
    time.sleep(max(0.0, seconds - 0.002))
    while time.perf_counter() < end:
        pass


def main() -> None:
    """Kill runs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100, help="of each case")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rows: list[list[object]] = []
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        scene = Scene(Path(scratch), given.seed)
        for case in CASES:
            found: Counter[str] = Counter()
            for i in range(given.trials):
                found += scene.trial(case, while_writing=i % 2 == 1)
            tell(f"{case.name}: {dict(found)}")
            rows.append([case.name, given.trials, *(found[head] for head in HEADS[2:])])
            total += found
    rows.append(["all", given.trials * len(CASES), *(total[head] for head in HEADS[2:])])
    how = (
        f"A picture of {SIZE} × {SIZE} pixels; seed {given.seed}. Half of the kills are spread over the whole run, half over "
        f"{1000 * WRITING:.0f} ms after the temporary file has appeared. A run that had ended before its kill is not counted as killed. "
        "Of two writers at once, the first is killed and the second goes on; the output must be whole then."
    )
    save("crashes", "Runs that are killed", [how, table(HEADS, rows)])
    if total["broken"] or total["still there after the next run"]:
        raise SystemExit("a file was broken, or litter stayed")


if __name__ == "__main__":
    main()
