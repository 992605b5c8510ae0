"""The bar over many files, drawn by rich, which is imported only when it is shown."""

from __future__ import annotations

import time
from types import TracebackType

from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from ..batch import run
from ..batch.report import Status
from ..kernels import events
from .bar import NARROW, WIDEST, Terminal, duration
from .progress import COMPILING, size


class _Line(ProgressColumn):
    """All that is said, on one line that is cut where the terminal ends."""

    def __init__(self, text: ManyBar) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self.text = text

    def render(self, task: Task) -> Text:
        return Text(self.text.words())


class ManyBar:
    """Files done, bytes done, the ratio so far, the speed and the time left, on one line of standard error; a context manager.

    The time left is told by the bytes of sources: all that are left, at the speed that was had until now.
    """

    def __init__(self, verb: str) -> None:
        terminal = Terminal()
        columns = (BarColumn(WIDEST), _Line(self)) if terminal.width >= NARROW else (_Line(self),)
        self.verb, self.started = verb, time.monotonic()
        self.status: Status | None = None
        self.compiling = False
        events.on_first_compile(self.compile)
        self.progress = Progress(*columns, console=terminal, transient=True, redirect_stdout=False)
        self.task = self.progress.add_task(verb, total=1.0)

    def __enter__(self) -> ManyBar:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.stop()

    def show(self, status: Status) -> None:
        """Show how far the work is."""
        self.status = status
        self.progress.update(self.task, completed=_share(status))

    def compile(self) -> None:
        """Say, until a file has ended, that kernels are compiled."""
        self.compiling = True

    def words(self) -> str:
        """The line."""
        status, seconds = self.status, time.monotonic() - self.started
        if status is None:
            return self.verb
        parts = [f"{self.verb} {status.done} of {status.total} files", f"{size(status.bytes_done)} of {size(status.bytes_total)}"]
        if status.source_bytes and status.file_bytes:
            parts.append(f"{100 * status.file_bytes / status.source_bytes:.1f} %")
        share = _share(status)
        if not status.bytes_done and (self.compiling or run.compiling()):
            parts = [COMPILING, *parts]
        if 0 < share < 1 and status.bytes_done and seconds > 0:
            parts += [f"{size(status.bytes_done / seconds)}/s", f"{duration(seconds * (1 - share) / share)} left"]
        else:
            parts.append(duration(seconds))
        return "  ".join(parts)


def _share(status: Status) -> float:
    """How much of the work is done, of 1."""
    return status.bytes_done / status.bytes_total if status.bytes_total else status.done / max(1, status.total)
