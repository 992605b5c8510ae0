"""How far the work is, told to whoever asked."""

from __future__ import annotations

import math
import time

from .errors import Stopped
from .options import Options, Progress


class Ticker:
    """Counts what is done of one stage and tells of it. Raises Stopped where options.stop says so, and after `cancel`."""

    def __init__(self, options: Options, stage: str) -> None:
        self.options, self.stage, self.start = options, stage, time.perf_counter()
        self.done, self.total = 0.0, 1.0
        self.cancelled = False

    def expect(self, total: float) -> None:
        """How much there is to do."""
        self.total = max(1.0, total)

    def cancel(self) -> None:
        """End all work that ticks."""
        self.cancelled = True

    def __call__(self, done: float) -> None:
        self.done += done
        if self.cancelled or (self.options.stop and self.options.stop()):
            raise Stopped
        if self.options.progress:
            seconds = time.perf_counter() - self.start
            self.options.progress(Progress(self.stage, int(self.done), seconds, min(1.0, self.done / self.total), (), math.inf, 0.0))
