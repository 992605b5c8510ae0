"""Reports to `Options.progress` how far the work is, and asks `Options.stop` whether to go on."""

from __future__ import annotations

import math
import time

from .errors import Stopped
from .options import Options, Progress


class Ticker:
    """Counts the work done in one stage; a call adds to it and reports. A call raises Stopped if options.stop says so, or after `cancel`.

    stage: its name, see `Progress`. The unit of work is the caller's: tiles, rows, frames, steps.
    """

    def __init__(self, options: Options, stage: str) -> None:
        self.options, self.stage, self.start = options, stage, time.perf_counter()
        self.done, self.total = 0.0, 1.0
        self.cancelled = False

    def expect(self, total: float) -> None:
        """Set how much work there is in all."""
        self.total = max(1.0, total)

    def cancel(self) -> None:
        """Make the next call raise Stopped, in every thread."""
        self.cancelled = True

    def __call__(self, done: float) -> None:
        """Add the work done since the last call, and report. Raises Stopped if the work is to end."""
        self.done += done
        if self.cancelled or (self.options.stop and self.options.stop()):
            raise Stopped
        if self.options.progress:
            seconds = time.perf_counter() - self.start
            self.options.progress(Progress(self.stage, int(self.done), seconds, min(1.0, self.done / self.total), (), math.inf, 0.0))
