"""The line of progress on a terminal."""

from __future__ import annotations

import shutil
import sys

from ..kernels import events
from ..options import Progress

COMPILING = "compiling kernels, once for this machine: about half a minute"


def size(n: float) -> str:
    """A number of bytes with a unit, as "1.5 kB"."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.2f} GB"


class ProgressLine:
    """Writes one line of progress on standard error, over and over: stage, share done, time; of a fit also step, bit errors, PSNR, sizes.

    It says so when kernels are compiled, which takes longer than most files.
    shown: whether to write anything; fitted: the last report of stage "fit".
    """

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.width = 0
        self.fitted: Progress | None = None
        if shown:
            events.on_first_compile(lambda: self.say(COMPILING))

    def __call__(self, status: Progress) -> None:
        """Show a report: what `Options.progress` calls."""
        if status.stage == "fit":
            self.fitted = status
        if not self.shown:
            return
        if not status.bit_errors:
            self._write(f"{status.stage} {100 * status.fraction:3.0f}%  {status.seconds:.0f} s")
            return
        # a bar for each bit-plane, the most significant first
        marks = "".join("·" if e == 0 else "▁▂▃▄▅▆▇█"[min(7, int(e * 16))] for e in status.bit_errors)
        mean = sum(status.bit_errors) / max(1, len(status.bit_errors))
        weights = f" + weights {size(status.weights_bytes)}" if status.weights_bytes else ""
        self._write(
            f"{status.stage} {100 * status.fraction:3.0f}%  step {status.step}  {status.seconds:.0f} s  "
            f"bit errors {mean:.2e} [{marks}]  PSNR {status.psnr:.1f} dB  payload {size(status.payload_bytes)}{weights}"
        )

    def say(self, text: str) -> None:
        """Show a text in place of the line."""
        if self.shown:
            self._write(text)

    def _write(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be written over
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)

    def clear(self) -> None:
        """Remove the line."""
        if self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()
            self.width = 0
