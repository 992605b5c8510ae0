"""Changed files of every format end in a Signal or a fault of one line; the fuzzer makes the same ones everywhere and sees what fails."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random
from unittest import mock

import pytest

from bench.fuzz import readers
from bench.fuzz.reader_mutations import mutate
from bench.fuzz.reader_seeds import SOURCES, seeds
from bench.fuzz.readers import GROWTH, Case, Outcome, cases, run, run_case, summary
from inrcodec import files

SEED = 20
COUNT = 1500
FEW = (bytes(range(256)), b"RIFF" + bytes(60), b"\x93NUMPY 12 34")
DIGEST = """
import hashlib, random
from bench.fuzz.reader_mutations import mutate
few = (bytes(range(256)), b"RIFF" + bytes(60), b"\\x93NUMPY 12 34")
print(hashlib.sha256(b"".join(mutate("npy", few, random.Random(f"1:npy:{i}")) for i in range(300))).hexdigest())
"""


@pytest.mark.parametrize("kind", SOURCES)
def test_changed_files_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    for data in seeds(kind):  # libraries are imported and kernels compiled before memory is looked at
        (tmp_path / f"x.{kind}").write_bytes(data)
        files.read(tmp_path / f"x.{kind}")
    found = [run_case(Case(kind, number, SEED), tmp_path) for number in range(-(-COUNT // len(SOURCES)))]
    wrong = [o for o in found if o.what not in ("read", "refused") or o.growth > GROWTH + 100 * o.size]
    assert not wrong
    assert {o.what for o in found} == {"read", "refused"}


def test_the_cases_of_a_seed_are_always_the_same() -> None:
    for kind in SOURCES:
        assert [Case(kind, i, 3).data() for i in range(9)] == [Case(kind, i, 3).data() for i in range(9)]
        assert Case(kind, 0, 3).data() != Case(kind, 0, 4).data()
    assert len({Case("png", i, 3).data() for i in range(50)}) > 45
    here = hashlib.sha256(b"".join(mutate("npy", FEW, Random(f"1:npy:{i}")) for i in range(300))).hexdigest()
    for hashes in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hashes}
        there = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, env=environment)
        assert there.stdout.strip() == here


def test_formats_take_turns() -> None:
    found = list(cases(7, 2 * len(SOURCES) + 1))
    assert [case.kind for case in found] == [*SOURCES, *SOURCES, next(iter(SOURCES))]
    assert [case.number for case in found] == [0] * len(SOURCES) + [1] * len(SOURCES) + [2]


def test_the_child_answers_as_this_process_does(tmp_path: Path) -> None:
    wanted = list(islice(cases(SEED, 99), 28))
    found = list(run(wanted))
    assert [(o.kind, o.number, o.what) for o in found] == [(c.kind, c.number, run_case(c, tmp_path).what) for c in wanted]


def child(ends: bool) -> subprocess.Popen[str]:
    """A child process that answers nothing, since it ends or hangs."""
    program = "import sys; sys.stdin.readline(); " + ("sys.exit(3)" if ends else "sys.stdin.readline()")
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("ends", "what"), [(True, "the process ended with 3"), (False, "no answer within 0.3 s")])
def test_a_child_that_ends_or_hangs_is_a_failure(ends: bool, what: str) -> None:
    starting = mock.patch.object(readers, "_start", side_effect=lambda: child(ends))
    with starting, mock.patch.object(readers, "SECONDS", 30.0 if ends else 0.3):
        found = list(run([Case("bmp", 0, 1), Case("bmp", 1, 1)]))
    assert [o.what for o in found] == [what, what]
    assert all(o.failed for o in found)


def test_the_table() -> None:
    outcomes = [
        Outcome("png", 0, 10, "read", 0.5, 70),
        Outcome("png", 1, 10, "refused", 0.25, 0),
        Outcome("png", 2, 10, "ValueError: x", 0, 0),
    ]
    outcomes += [Outcome("wav", 0, 1000, "read", 0, GROWTH + 100_001)]
    table = summary(outcomes)
    assert table["png"] == {
        "cases": 3,
        "read": 1,
        "refused": 1,
        "worst_seconds": 0.5,
        "worst_growth": 70,
        "worst_growth_per_byte": 7,
        "failures": [{"number": 2, "what": "ValueError: x", "growth": 0}],
    }
    assert [o.failed for o in outcomes] == [False, False, True, True]
