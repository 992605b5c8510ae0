"""How work ends early: a stop that is asked for, and a real Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
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

stage, effort = sys.argv[1], int(sys.argv[2])
tuning.STEPS = {8: 100_000}
coding.LEAST_VALUES = 500
sent = []

def progress(status):
    if status.stage == stage and not sent:
        sent.append(status)
        os.kill(os.getpid(), signal.SIGINT)

y, x = np.mgrid[0:200, 0:200]
samples = (100 + 60 * np.sin(y / 9) * np.cos(x / 7) + np.random.default_rng(0).normal(0, 4, y.shape)).astype(np.uint8)
try:
    data = inrcodec.encode(inrcodec.Signal(samples, "image"), effort=effort, progress=progress, verify=False)
except KeyboardInterrupt:
    print("interrupted")
else:
    print("returned", len(data))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C alone there")
@pytest.mark.parametrize(("stage", "effort"), [("fitting", 8), ("coding", 5)])
def test_ctrl_c_in_library_use_is_never_swallowed(stage: str, effort: int) -> None:
    if stage == "fitting":
        pytest.importorskip("torch")
    command = [sys.executable, "-c", INTERRUPTED, stage, str(effort)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert process.stdout.strip() == "interrupted", process.stderr


def picture() -> Signal:
    g = np.random.default_rng(0)
    y, x = np.mgrid[0:120, 0:110]
    return Signal(np.clip(110 + 40 * np.sin(y / 19) * np.cos(x / 23) + 30 * g.choice([-1, 1], y.shape), 0, 255).astype(np.uint8), "image")


def test_a_stop_during_the_fit_keeps_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(tuning, "STEPS", {8: 100_000})
    monkeypatch.setattr(coding, "LEAST_VALUES", 500)
    asked: list[bool] = []

    def watch(status: Progress) -> None:
        if status.stage == "fitting":
            asked.append(True)

    data = inrcodec.encode(picture(), effort=8, progress=watch, stop=lambda: bool(asked))
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
