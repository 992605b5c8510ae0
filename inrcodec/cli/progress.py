"""The line of progress on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernels import events
from ..options import Progress

if TYPE_CHECKING:
    from .bar import Bar

COMPILING = "compiling kernels, once for this machine: about half a minute"


def size(n: float) -> str:
    """A number of bytes with a unit, as "1.5 kB"."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.2f} GB"


class ProgressLine:
    """Shows one line of progress on standard error: stage, bar, share done, time left; of a fit also step, bit errors, PSNR, sizes.

    It says so when kernels are compiled, which takes longer than most files.
    shown: whether to show anything; fitted: the last report of stage "fit".
    """

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.fitted: Progress | None = None
        self._bar: Bar | None = None
        if shown:
            events.on_first_compile(lambda: self.say(COMPILING))

    def __call__(self, status: Progress) -> None:
        """Show a report: what `Options.progress` calls."""
        if status.stage == "fit":
            self.fitted = status
        if self.shown:
            self._show(status.stage, status.fraction, _of_fit(status) if status.bit_errors else "")

    def say(self, text: str) -> None:
        """Show a text in place of the line."""
        if self.shown:
            self._show(text)

    def _show(self, stage: str, share: float | None = None, rest: str = "") -> None:
        if self._bar is None:
            from .bar import Bar  # rich takes time to import

            self._bar = Bar()
        self._bar.show(stage, share, rest)

    def clear(self) -> None:
        """Remove the line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _of_fit(status: Progress) -> str:
    """What a report says of a fit, with a mark for each bit-plane, the most significant first."""
    marks = "".join("·" if e == 0 else "▁▂▃▄▅▆▇█"[min(7, int(e * 16))] for e in status.bit_errors)
    mean = sum(status.bit_errors) / max(1, len(status.bit_errors))
    weights = f" + weights {size(status.weights_bytes)}" if status.weights_bytes else ""
    return (
        f"step {status.step}  {status.seconds:.0f} s  bit errors {mean:.2e} [{marks}]  PSNR {status.psnr:.1f} dB  "
        f"payload {size(status.payload_bytes)}{weights}"
    )
