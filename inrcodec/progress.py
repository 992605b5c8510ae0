"""How far the work is, told to whoever asked."""

from __future__ import annotations

import math
import time

from .options import FitStatus, Options


class Ticker:
    """Counts what is done of one stage, tells of it, and stops the work when asked to: it raises KeyboardInterrupt."""

    def __init__(self, options: Options, stage: str) -> None:
        self.options, self.stage, self.start = options, stage, time.perf_counter()
        self.done, self.total = 0.0, 1.0

    def expect(self, total: float) -> None:
        """How much there is to do."""
        self.total = max(1.0, total)

    def __call__(self, done: float) -> None:
        self.done += done
        if self.options.stop and self.options.stop():
            raise KeyboardInterrupt
        if self.options.progress:
            seconds = time.perf_counter() - self.start
            self.options.progress(FitStatus(self.stage, int(self.done), seconds, min(1.0, self.done / self.total), (), math.inf, 0.0))
