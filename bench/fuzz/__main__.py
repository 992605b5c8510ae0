"""Fuzzes the decoder with changed `.linr` files: `python -m bench.fuzz --cases 100000 --seed 1 --jobs 2`.

Valid files (see `linr_seeds`) are changed (see `linr_mutations`) and run through info, decode, salvage and render in child processes (see
`trial`); small ones are also given to the standalone decoder.
Their memory is limited, so that a crash, a hang or a request for too much memory is found. A case must give the right samples, or an
InrcodecError of one line, within trial.SECONDS and trial.GROWTH. A case depends on the seed and its number alone: `--only 17` runs it
again and writes the file.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import trial
from .linr_mutations import KINDS, UNMENDED, Case, case
from .linr_seeds import OF_SAMPLES, seeds
from .trial import FRAME, Outcome

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0  # seconds for an answer, unless --patience says otherwise; a case may compile kernels
COLUMNS = (
    "kind", "cases", "decoded", "lossy", "refused", "limited", "closed", "salvaged", "worst s", "worst MB", "bytes per byte of file",
    "of file and samples", "failures",
)  # fmt: skip


class Child:
    """A process that runs cases. package: the folder that holds the inrcodec to test; patience: seconds that a case may take."""

    def __init__(self, package: Path, patience: float = PATIENCE) -> None:
        self.patience = PATIENCE  # valid files may compile kernels
        environment = {**os.environ, "PYTHONPATH": str(package), "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
        command = [sys.executable, "-P", trial.__file__, *(["of-samples"] if OF_SAMPLES[0] else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        answers = [self._ask({"learn": seed.name}, seed.data) for seed in seeds()]
        if None in answers:
            raise RuntimeError("the child cannot run the valid files")
        self.learned = sum(bool(answer and answer["learned"]) for answer in answers)
        self.origin = str(answers[0] and answers[0]["from"])
        self.patience = patience

    def _ask(self, about: dict[str, Any], data: bytes) -> dict[str, Any] | None:
        """The answer to a message; None: the process ended or does not answer."""
        assert self.process.stdin
        assert self.process.stdout
        text = json.dumps(about).encode()
        try:
            self.process.stdin.write(FRAME.pack(len(text), len(data)) + text + data)
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        ready, _, _ = select.select([self.process.stdout], [], [], self.patience)
        line = self.process.stdout.readline() if ready else b""
        return json.loads(line) if line.endswith(b"\n") else None

    def run(self, wanted: Case) -> Outcome:
        """How a case ends. If the child does not survive it, `alive` is false afterwards."""
        start = time.monotonic()
        answer = self._ask({"number": wanted.number, "seed": wanted.seed if wanted.kind in UNMENDED else None}, wanted.data)
        if answer is not None:
            return Outcome(**answer)
        seconds = time.monotonic() - start
        self.process.kill()
        status = self.process.wait()
        what = f"no answer within {seconds:.0f} s" if seconds >= self.patience else f"the process ended with {status}"
        return Outcome(wanted.number, what, len(wanted.data), 0, "nothing", seconds, 0)

    @property
    def alive(self) -> bool:
        """Whether it can run another case."""
        return self.process.poll() is None

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def run(
    wanted: Iterable[Case], package: Path, note: dict[str, Any] | None = None, patience: float = PATIENCE
) -> Iterator[tuple[Case, Outcome]]:
    """Run cases in a child process; another one takes over where it ends. note: gets which inrcodec that was, and what it can decode."""
    child = Child(package, patience)
    if note is not None:
        note.update(origin=child.origin, learned=child.learned)
    try:
        for one in wanted:
            if not child.alive:
                child = Child(package, patience)
            yield one, child.run(one)
    finally:
        child.end()


def run_all(
    seed: int, count: int, jobs: int, package: Path, note: dict[str, Any], patience: float = PATIENCE
) -> list[tuple[Case, Outcome]]:
    """Run the first `count` cases of a seed in `jobs` child processes. The bytes of cases that did not fail are dropped."""
    done = [0] * jobs
    start = time.monotonic()

    def share(job: int) -> list[tuple[Case, Outcome]]:
        found = []
        for one, outcome in run((case(seed, i) for i in range(job, count, jobs)), package, note, patience):
            found.append((one if outcome.failed else Case(one.number, one.kind, one.seed, b""), outcome))
            done[job] += 1
            if outcome.failed:
                print(f"{one.number} ({one.kind}): {outcome.fault}", file=sys.stderr, flush=True)
            if job == 0 and done[0] % 1000 == 0:
                print(f"{sum(done)} of {count} cases, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return [pair for pairs in pool.map(share, range(jobs)) for pair in pairs]


def summary(found: Iterable[tuple[Case, Outcome]]) -> dict[str, dict[str, Any]]:
    """Per kind of change, and for all: a number for each column of the table, and the failures."""
    by_kind: dict[str, list[tuple[Case, Outcome]]] = {kind: [] for kind in (*KINDS, "all")}
    for one, outcome in found:
        by_kind[one.kind].append((one, outcome))
        by_kind["all"].append((one, outcome))
    return {kind: _row(pairs) for kind, pairs in by_kind.items() if pairs}


def _row(pairs: list[tuple[Case, Outcome]]) -> dict[str, Any]:
    outcomes = [outcome for _, outcome in pairs]
    return {
        "cases": len(outcomes),
        **{what: sum(o.what == what for o in outcomes) for what in trial.RIGHT},
        "salvaged": sum(o.salvaged != "nothing" and o.what != "decoded" for o in outcomes),
        "worst s": max(o.seconds for o in outcomes),
        "worst MB": max(o.growth for o in outcomes) / 1e6,
        "bytes per byte of file": round(max(o.growth / max(1, o.size) for o in outcomes)),
        "of file and samples": round(max(o.growth / max(1, o.size + o.declared) for o in outcomes)),
        "slowest": max(outcomes, key=lambda o: o.seconds).number,
        "largest": max(outcomes, key=lambda o: o.growth).number,
        "failures": [{"number": one.number, "kind": one.kind, "what": o.fault} for one, o in pairs if o.failed],
    }


def markdown(table: dict[str, dict[str, Any]], note: dict[str, Any], seconds: float) -> list[str]:
    """The parts of the report: what was run, the table, and the failures."""
    from bench.common import table as rows_of

    rows = [[kind, *(len(row[c]) if c == "failures" else row[c] for c in COLUMNS[1:])] for kind, row in table.items()]
    everything = table["all"]
    failures = [f"- {f['number']} ({f['kind']}): {f['what']}" for f in everything["failures"]]
    return [
        f"{everything['cases']} changed files in {seconds:.0f} s, made of {len(seeds())} valid ones"
        f" (of which this inrcodec decodes {note['learned']}). Limits: {trial.SAMPLES} samples, {trial.MEMORY} bytes;"
        f" a case fails above {trial.SECONDS:.0f} s or {trial.GROWTH} bytes.",
        "decoded: to the right samples. lossy: a network without samples. refused, limited (LimitError), closed (before any tile): by an"
        " error of one line. salvaged: of those that do not decode, something could be decoded.",
        rows_of(list(COLUMNS), rows),
        f"The slowest case is {everything['slowest']}, the one that takes the most memory is {everything['largest']}.",
        "Failures:\n\n" + "\n".join(failures) if failures else "No failures.",
    ]


def _only(seed: int, number: int, package: Path) -> int:
    """Run one case again, and leave its file in the current folder."""
    one = case(seed, number)
    path = Path(f"fuzz-{seed}-{number}.linr")
    path.write_bytes(one.data)
    ((_, outcome),) = run([one], package)
    print(f"{path}, {one.kind} of {seeds()[one.seed].name}: {json.dumps(asdict(outcome))}")
    return int(outcome.failed)


def main() -> int:
    """The command line; exit status 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description="Fuzzes the decoder with changed .linr files.")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="child processes")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="run one case, and write its file here")
    parser.add_argument("--package", type=Path, default=ROOT, help="folder that holds another inrcodec to run the cases on")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="SECONDS", help="end a case that takes longer")
    parser.add_argument(
        "--digest-of-samples",
        action="store_true",
        help="for a --package from before the digest covered the header: the files have a digest of the samples alone",
    )
    parser.add_argument("--json", type=Path, help="write the numbers as JSON")
    parser.add_argument("--markdown", type=Path, help="write the table as Markdown")
    given = parser.parse_args()
    package = given.package.resolve()
    OF_SAMPLES[0] = given.digest_of_samples
    if given.only is not None:
        return _only(given.seed, given.only, package)
    note: dict[str, Any] = {}
    start = time.monotonic()
    table = summary(run_all(given.seed, given.cases, given.jobs, package, note, given.patience))
    seconds = time.monotonic() - start
    from bench.common import machine, versions

    command = " ".join(["python", "-m", "bench.fuzz", *sys.argv[1:]])
    head = ["# Changed .linr files", f"`{command}`", f"{versions('numba', 'brotli')}; {machine()}"]
    text = "\n\n".join([*head, *markdown(table, note, seconds)]) + "\n"
    print(text)
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")
    if given.json:
        about = {"seed": given.seed, "cases": given.cases, "seconds": seconds, "kinds": table}
        given.json.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return int(bool(table["all"]["failures"]))


if __name__ == "__main__":
    sys.exit(main())
