"""Fuzzes the readers of other formats: `python -m bench.fuzz.readers --cases 20000 --seed 1`.

Valid files (see `reader_seeds`) are changed (see `reader_mutations`) and read in a child process whose memory is limited, so that a
crash of a library, a hang or a request for too much memory is found. A case must end in a Signal or an InrcodecError of one line,
within SECONDS and GROWTH bytes. A case depends on the seed, the format and its number alone: `--only png:17` runs it again and writes
the file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from inrcodec import InrcodecError, files
from inrcodec.limits import Limits

from .reader_mutations import mutate
from .reader_seeds import SOURCES, seeds
from .trial import forget_peak, memory_of

SECONDS = 10.0  # for a case; the worst that is allowed takes a fraction of one
SAMPLES = 1 << 20  # limits that the readers are given
MEMORY = 1 << 28
GROWTH = 96 << 20  # bytes by which a case may let the process grow: what those limits allow, and a library's own room
ADDRESSES = 6 << 30  # RLIMIT_AS; libraries reserve much more than they use


@dataclass(frozen=True)
class Case:
    """A changed file: format (one of SOURCES), its number, and the seed of the whole run."""

    kind: str
    number: int
    seed: int

    def data(self) -> bytes:
        """The file."""
        return mutate(self.kind, seeds(self.kind), Random(f"{self.seed}:{self.kind}:{self.number}"))


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        kind, number: of the case.
        size: of the file, in bytes.
        what: "read", "refused", or what is wrong.
        seconds: of the reading.
        growth: bytes by which the process grew at most; 0 where the system does not tell.
    """

    kind: str
    number: int
    size: int
    what: str
    seconds: float
    growth: int

    @property
    def failed(self) -> bool:
        """Whether this must not happen."""
        return self.what not in ("read", "refused") or self.growth > GROWTH + 100 * self.size


def cases(seed: int, count: int) -> Iterator[Case]:
    """The first `count` cases of a seed, the formats in turn."""
    for i in range(count):
        yield Case(tuple(SOURCES)[i % len(SOURCES)], i // len(SOURCES), seed)


def run_case(case: Case, folder: Path) -> Outcome:
    """Read a case in this process. folder: where the file is put."""
    path = folder / f"x.{case.kind}"
    data = case.data()
    path.write_bytes(data)
    forget_peak()
    before, start = memory_of("VmRSS"), time.perf_counter()
    try:
        files.read(path, Limits(SAMPLES, MEMORY))
        what = "read"
    except InrcodecError as fault:
        what = "refused" if "\n" not in str(fault) else f"several lines: {fault}"
    except BaseException as fault:
        what = f"{type(fault).__name__}: {fault}"
    seconds = time.perf_counter() - start
    return Outcome(case.kind, case.number, len(data), what, seconds, max(0, memory_of("VmHWM") - before))


def _warm_up(folder: Path) -> None:
    """Read all seeds, so that no case pays for what is imported or compiled once."""
    for kind in SOURCES:
        for data in seeds(kind):
            path = folder / f"x.{kind}"
            path.write_bytes(data)
            files.read(path)


def _serve() -> None:
    """The child: reads cases from standard input, one a line, and answers each with a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.showwarning = lambda *_, **__: None
    with tempfile.TemporaryDirectory() as folder:
        _warm_up(Path(folder))
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            kind, number, seed = line.split()
            outcome = run_case(Case(kind, int(number), int(seed)), Path(folder))
            answers.write(json.dumps(asdict(outcome)) + "\n")
            answers.flush()


def _answer(child: subprocess.Popen[str], case: Case, seconds: float) -> Outcome:
    """What the child says of a case; what became of it if it says nothing."""
    assert child.stdin is not None
    assert child.stdout is not None
    start = time.monotonic()
    child.stdin.write(f"{case.kind} {case.number} {case.seed}\n")
    child.stdin.flush()
    ready, _, _ = select.select([child.stdout], [], [], seconds)
    line = child.stdout.readline() if ready else ""
    if line:
        return Outcome(**json.loads(line))
    child.kill()
    status = child.wait()
    what = f"the process ended with {status}" if ready else f"no answer within {seconds} s"
    return Outcome(case.kind, case.number, len(case.data()), what, time.monotonic() - start, 0)


def _start() -> subprocess.Popen[str]:
    """A child that has read the valid files, which may compile kernels."""
    command = [sys.executable, "-m", "bench.fuzz.readers", "--serve"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    if child.stdout.readline() != "ready\n":
        raise RuntimeError("the valid files cannot be read")
    return child


def run(wanted: Iterable[Case]) -> Iterator[Outcome]:
    """Read cases in a child process; another one takes over where it ends."""
    child = None
    try:
        for case in wanted:
            if child is None or child.poll() is not None:
                child = _start()
            yield _answer(child, case, SECONDS)
    finally:
        if child is not None:
            child.kill()
            child.communicate()


def summary(outcomes: Iterable[Outcome]) -> dict[str, dict[str, object]]:
    """Per format: cases, how many were read and refused, the worst time and growth, and the failures."""
    by_kind: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_kind.setdefault(outcome.kind, []).append(outcome)
    return {
        kind: {
            "cases": len(found),
            "read": sum(o.what == "read" for o in found),
            "refused": sum(o.what == "refused" for o in found),
            "worst_seconds": round(max(o.seconds for o in found), 3),
            "worst_growth": max(o.growth for o in found),
            "worst_growth_per_byte": round(max(o.growth / max(o.size, 1) for o in found)),
            "failures": [{"number": o.number, "what": o.what, "growth": o.growth} for o in found if o.failed],
        }
        for kind, found in by_kind.items()
    }


def _only(name: str, seed: int) -> int:
    """Run one case again, and leave its file in the current folder."""
    kind, _, number = name.partition(":")
    case = Case(kind, int(number), seed)
    path = Path(f"fuzz-{kind}-{number}.{kind}")
    path.write_bytes(case.data())
    (outcome,) = run([case])
    print(f"{path}: {json.dumps(asdict(outcome))}")
    return int(outcome.failed)


def main() -> int:
    """The command line; exit status 1 if a case failed."""
    parser = argparse.ArgumentParser(description="Fuzzes the readers of other formats.")
    parser.add_argument("--cases", type=int, default=2000, help="how many, over all formats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="FORMAT:NUMBER", help="run one case, and write its file here")
    parser.add_argument("--json", type=Path, help="write the table as JSON")
    parser.add_argument("--report", type=Path, nargs="+", metavar="JSON", help="write bench/results/fuzz-readers.md from such tables")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve()
        return 0
    if given.report:
        from .reader_report import report

        report(given.report)
        return 0
    if given.only:
        return _only(given.only, given.seed)
    table = summary(run(cases(given.seed, given.cases)))
    print(f"{'format':8}{'cases':>8}{'read':>8}{'refused':>9}{'worst s':>9}{'worst MB':>10}{'per byte':>10}  failures")
    for kind, row in table.items():
        failures = row["failures"]
        assert isinstance(failures, list)
        growth = row["worst_growth"]
        assert isinstance(growth, int)
        line = f"{kind:8}{row['cases']:>8}{row['read']:>8}{row['refused']:>9}{row['worst_seconds']:>9}{growth / 1e6:>10.1f}"
        print(f"{line}{row['worst_growth_per_byte']:>10}  {len(failures)}")
        for failure in failures:
            print(f"    {kind}:{failure['number']} {failure['what']} ({failure['growth']} bytes)")
    if given.json:
        given.json.write_text(json.dumps({"seed": given.seed, "cases": given.cases, "formats": table}, indent=2) + "\n", encoding="utf-8")
    return int(any(row["failures"] for row in table.values()))


if __name__ == "__main__":
    sys.exit(main())
