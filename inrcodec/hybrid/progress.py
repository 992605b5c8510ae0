"""How far the work is, told to whoever asked."""

from __future__ import annotations

import math
import time

from ..options import FitStatus, Options


class Ticker:
    """Counts what is done of one stage, tells of it, and stops the work when asked to: it raises KeyboardInterrupt."""

    def __init__(self, options: Options, stage: str) -> None:
        self.options, self.stage, self.done, self.total, self.start = options, stage, 0, 1, time.perf_counter()

    def expect(self, total: int) -> None:
        """How much there is to do."""
        self.total = max(1, total)

    def __call__(self, done: int) -> None:
        self.done += done
        if self.options.stop and self.options.stop():
            raise KeyboardInterrupt
        if self.options.progress:
            seconds = time.perf_counter() - self.start
            self.options.progress(FitStatus(self.stage, self.done, seconds, min(1.0, self.done / self.total), (), math.inf, 0.0))
