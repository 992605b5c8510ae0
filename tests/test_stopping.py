"""How work ends early: a stop that is asked for, and a real Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inrcodec
from inrcodec import Progress, Signal, Stopped, parallel
from inrcodec.profiles.hybrid.pictures import coding, tuning

# a picture whose networks are fitted for a long time; it interrupts itself in the stage that is named, as a person would
INTERRUPTED = """
import os, signal, sys, numpy as np, inrcodec
from inrcodec.profiles.hybrid.pictures import coding, tuning

stage = sys.argv[1]
tuning.STEPS = 100_000
coding.LEAST_VALUES = 500
sent = []

def progress(status):
    if status.stage == stage and not sent:
        sent.append(status)
        os.kill(os.getpid(), signal.SIGINT)

y, x = np.mgrid[0:200, 0:200]
samples = (100 + 60 * np.sin(y / 9) * np.cos(x / 7) + np.random.default_rng(0).normal(0, 4, y.shape)).astype(np.uint8)
try:
    data = inrcodec.encode(inrcodec.Signal(samples, "image"), tune=stage == "fitting", progress=progress, verify=False)
except KeyboardInterrupt:
    print("interrupted")
else:
    print("returned", len(data))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C alone there")
@pytest.mark.parametrize("stage", [pytest.param("fitting", marks=pytest.mark.slow), "coding"])
def test_ctrl_c_in_library_use_is_never_swallowed(stage: str) -> None:
    if stage == "fitting":
        pytest.importorskip("torch")
    command = [sys.executable, "-c", INTERRUPTED, stage]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert process.stdout.strip() == "interrupted", process.stderr


def picture() -> Signal:
    g = np.random.default_rng(0)
    y, x = np.mgrid[0:120, 0:110]
    return Signal(np.clip(110 + 40 * np.sin(y / 19) * np.cos(x / 23) + 30 * g.choice([-1, 1], y.shape), 0, 255).astype(np.uint8), "image")


def test_a_stop_during_the_fit_keeps_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(tuning, "STEPS", 100_000)
    monkeypatch.setattr(coding, "LEAST_VALUES", 500)
    asked: list[bool] = []

    def watch(status: Progress) -> None:
        if status.stage == "fitting":
            asked.append(True)

    data = inrcodec.encode(picture(), tune=True, progress=watch, stop=lambda: bool(asked))
    assert inrcodec.decode(data).equals(picture())
    assert asked


@pytest.mark.parametrize("samples", [picture().samples, np.arange(60000, dtype=np.int16)[:, None] // 3], ids=["picture", "sound"])
def test_a_stop_with_nothing_to_keep_is_an_exception_of_its_own(samples: Any) -> None:
    given = Signal(samples, "image") if samples.dtype == np.uint8 else Signal(samples, "audio", 16, 8000)
    with pytest.raises(Stopped):
        inrcodec.encode(given, stop=lambda: True)
    assert not issubclass(Stopped, KeyboardInterrupt | inrcodec.InrcodecError)


def test_a_fault_drops_what_is_not_begun_and_cancels_the_rest() -> None:
    done: list[int] = []
    cancelled = threading.Event()

    def work(i: int) -> None:
        if i == 0:
            raise ValueError("first")
        assert cancelled.wait(60)
        done.append(i)

    with pytest.raises(ValueError, match="first"):
        parallel.run(work, range(100), 2, cancelled.set)
    assert len(done) <= 2


def test_one_worker_is_the_thread_that_asks() -> None:
    def work(i: int) -> int:
        if i == 3:
            raise ValueError("fourth")
        assert threading.current_thread() is threading.main_thread()
        return i * i

    assert parallel.run(work, range(3), 1) == [0, 1, 4]
    with pytest.raises(ValueError, match="fourth"):
        parallel.run(work, range(9), 1)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_threads_work() -> None:
    cancelled = threading.Event()

    def work(i: int) -> None:
        if i == 0:
            signal.raise_signal(signal.SIGINT)
        assert cancelled.wait(60)

    with pytest.raises(KeyboardInterrupt):
        parallel.run(work, range(4), 2, cancelled.set)
    assert cancelled.is_set()


# A command of the program in a process of its own. Where it would do the work that is named, the process gets a signal so many times
# instead, as by a person or a system, and then waits: it must end without being given time.
ENDED = """
import os, signal, sys, time
from inrcodec import cli, codec, files

work, number, times, *arguments = sys.argv[1:]

def wait(*given, **more):
    for _ in range(int(times)):
        os.kill(os.getpid(), int(number))
    time.sleep(100)

def write(path, signal):
    path.write_bytes(b"half a file")
    wait()

module = files if work == "write" else codec
setattr(module, work, write if work == "write" else wait)
cli.main(arguments)
"""
STATUS = {"SIGINT": (130, "interrupted"), "SIGTERM": (143, "terminated"), "SIGHUP": (129, "hung up")}
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def ended(work: str, name: str, times: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ENDED, work, str(int(getattr(signal, name))), str(times), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    path = tmp_path / "a.linr"
    path.write_bytes(inrcodec.encode(np.arange(99, dtype=np.uint8), profile="stored"))
    np.save(tmp_path / "a.npy", np.arange(99, dtype=np.uint8))
    return path


@posix
@pytest.mark.parametrize("name", STATUS)
def test_a_signal_while_a_file_is_written_leaves_nothing(coded: Path, name: str) -> None:
    before = sorted(coded.parent.iterdir())
    process = ended("write", name, 1, "decode", coded, "-o", coded.with_name("b.npy"))
    status, word = STATUS[name]
    assert (process.returncode, process.stdout, process.stderr) == (status, "", f"inrcodec: {word}\n")
    assert sorted(coded.parent.iterdir()) == before


@posix
@pytest.mark.parametrize(
    ("work", "times", "arguments"),
    [
        ("decode", 1, ["decode", "a.linr", "-o", "b.npy"]),
        ("decode", 1, ["verify", "a.linr", "a.npy"]),
        ("info", 1, ["info", "a.linr", "--stages"]),
        ("encode", 1, ["demo", "--directory", "b"]),
        ("encode", 2, ["encode", "a.npy", "-o", "b.linr"]),
    ],
)
def test_ctrl_c_ends_every_command(coded: Path, monkeypatch: pytest.MonkeyPatch, work: str, times: int, arguments: list[str]) -> None:
    if arguments[0] == "demo":
        pytest.importorskip("torch")
        pytest.importorskip("sklearn")
    monkeypatch.chdir(coded.parent)
    process = ended(work, "SIGINT", times, *arguments)
    assert (process.returncode, process.stderr) == (130, "inrcodec: interrupted\n")
    assert not list(coded.parent.glob("*b.*"))


@posix
def test_signals_that_are_ignored_stay_ignored(coded: Path) -> None:
    """As for a run under nohup."""
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{ENDED.replace('time.sleep(100)', 'print(9)')}"
    command = [sys.executable, "-c", code, "write", str(int(signal.SIGHUP)), "1", "decode", str(coded), "-o", str(coded.with_name("b.npy"))]
    process = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (process.returncode, process.stdout) == (0, "9\n")


# Ctrl-C when a module is about to be imported
WHILE_IMPORTING = """
import os, signal, sys, importlib.abc

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from inrcodec.cli import main
main(sys.argv[2:])
"""


@posix
@pytest.mark.parametrize(
    "module", ["click", "inrcodec.cli.group", "inrcodec.cli.inspect", "inrcodec.codec", "numpy", "inrcodec.profiles.inr"]
)
def test_ctrl_c_while_modules_are_imported(coded: Path, module: str) -> None:
    command = [sys.executable, "-c", WHILE_IMPORTING, module, "info", str(coded)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (130, "", "inrcodec: interrupted\n")
