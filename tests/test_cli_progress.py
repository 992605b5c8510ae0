"""The bar of one file: time left, one line on any terminal, nothing on a pipe, a cursor that is never hidden, rich only if it is shown."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

import inrcodec
from inrcodec.cli.bar import Bar, Terminal, duration
from inrcodec.cli.progress import ProgressLine
from inrcodec.options import Progress

FIT = "step 120  12 s  bit errors 1.2e-04 [▁▁▁▁▁▁▁▁]  PSNR 30.1 dB  payload 300.0 kB"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]")
posix = pytest.mark.skipif(sys.platform == "win32", reason="no such thing on Windows")


def drawn(width: int, *shown: tuple[object, ...]) -> tuple[list[str], str]:
    """The lines that a bar draws on a terminal of some width, and all that it writes."""
    out = io.StringIO()

    class Narrow(Terminal):
        def __init__(self) -> None:
            Console.__init__(self, file=out, force_terminal=True, width=width, color_system=None)

    bar = Bar(Narrow())
    for one in shown:
        bar.show(*one)  # type: ignore[arg-type]
        bar.progress.refresh()
    bar.close()
    return [line for line in CONTROL.split(out.getvalue()) if line.strip()], out.getvalue()


def test_the_time_left_is_told() -> None:
    lines, _ = drawn(80, ("coding", 0.1), ("coding", 0.2), ("coding", 0.4))
    assert re.fullmatch(r"━+ +coding   40%  \d+ s left *", lines[-1])
    lines, _ = drawn(80, ("coding", 0.4), ("coding", 0.8), ("decoding", 0.1))  # another stage: not its time
    assert lines[-1].split() == ["━━━", "decoding", "10%"]
    assert [duration(s) for s in (0.4, 59.4, 61, 3605)] == ["0 s", "59 s", "1:01", "1:00:05"]


def test_a_fit_keeps_its_line() -> None:
    lines, _ = drawn(200, ("fit", 0.1, FIT), ("fit", 0.2, FIT), ("fit", 0.4, FIT))
    assert re.fullmatch(rf"fit   40%  \d+ s left  {re.escape(FIT)} *", lines[-1])


@pytest.mark.parametrize("width", [1, 5, 10, 20, 40, 59, 60, 80, 200])
def test_one_line_on_any_terminal(width: int) -> None:
    lines, written = drawn(width, ("coding", 0.1), ("coding", 0.5), ("fit", 0.1, FIT), ("fit", 0.9, FIT), ("compiling kernels, once",))
    assert all(cell_len(line) <= width for line in lines)
    assert written.count("\n") == 1  # that by which the bar ends
    assert written.endswith("\x1b[1A\x1b[2K")  # and which is taken back
    assert "\x1b[?25l" not in written  # the cursor is there all the time


def test_a_report_of_a_fit_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    for shown in (True, False):
        line = ProgressLine(shown)
        line(Progress("fit", 7, 1.5, 0.25, (0.5, 0.0), 30.0, 1000.0, 2000))
        if line._bar is not None:
            line._bar.progress.refresh()  # which a thread does ten times a second
        line(Progress("coding", 7, 1.5, 0.5, (), 0.0, 0.0))
        line.clear()
        assert line.fitted is not None
        assert line.fitted.step == 7
        assert ("step 7" in capsys.readouterr().err) == shown


def test_rich_is_imported_only_for_a_bar(tmp_path: Path) -> None:
    (tmp_path / "x.linr").write_bytes(inrcodec.encode(np.zeros((9, 9), np.uint8)))
    for arguments in (["--help"], ["encode", "--help"], ["info", str(tmp_path / "x.linr")], ["decode", str(tmp_path / "x.linr")]):
        code = "import sys; from inrcodec.cli import main; main(sys.argv[1:], standalone_mode=False); assert 'rich' not in sys.modules"
        result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


@posix
def test_a_run_on_a_terminal(tmp_path: Path) -> None:
    """A bar on standard error that is erased at the end; on a pipe, nothing."""
    np.save(tmp_path / "x.npy", np.cumsum(np.random.default_rng(0).integers(-9, 10, 9000)).astype(np.int16))
    command = [sys.executable, "-m", "inrcodec", "encode", str(tmp_path / "x.npy"), "-1f", "--kind", "audio", "--sample-rate", "8000"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    above, terminal = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    try:
        process = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, env=environment, check=False)
        written = os.read(above, 1 << 20).decode()
    finally:
        os.close(above)
        os.close(terminal)
    assert process.returncode == 0
    assert "coding" in written
    assert written.endswith("\x1b[2K")
    assert "\x1b[?25l" not in written
