"""The bar of progress, drawn by rich. It is imported when a bar is shown, so that a run without one starts as quickly as before."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

NARROW = 60  # columns of a terminal, below which the bar gives its place to the text
WIDEST = 30  # columns of the bar


class Terminal(Console):
    """Standard error. Its cursor is never hidden: then nothing has to restore it, whatever ends the run."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__(file=sys.stderr, force_terminal=True, highlight=False, width=width)

    def show_cursor(self, show: bool = True) -> bool:
        """Do nothing."""
        return False


class Line(ProgressColumn):
    """Stage, share done, time left, and the text in field `rest`, on one line that is cut where the terminal ends."""

    def get_table_column(self) -> Column:
        """The column."""
        return Column(no_wrap=True, overflow="ellipsis")

    def render(self, task: Task) -> Text:
        """The line, without what is not known."""
        share = "" if task.total is None else f"{task.percentage:3.0f}%"
        left = "" if task.time_remaining is None or task.finished else f"{duration(task.time_remaining)} left"
        return Text("  ".join(filter(None, (task.description, share, left, task.fields.get("rest")))))


def duration(seconds: float) -> str:
    """A time as "5 s", "1:05" or "1:00:05"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


class Bar:
    """A line on standard error that is drawn over and over, and goes when it is closed: a bar, a stage, the share done, the time left.

    The time left is told by the speed of the last half minute. What is printed on standard error meanwhile appears above the line.
    terminal: where it is drawn; brief: whether the texts behind it are short, so that it need not make room for them.
    """

    def __init__(self, terminal: Console | None = None, brief: bool = False) -> None:
        self.brief = brief
        self.terminal = terminal or Terminal()
        self.progress = Progress(Line(), console=self.terminal, transient=True, redirect_stdout=False)
        self.alone = self.progress.columns
        self.task = self._begin("", None)
        self.progress.start()

    def _begin(self, stage: str, total: float | None) -> TaskID:
        return self.progress.add_task(stage, total=total)

    def show(self, stage: str, share: float | None = None, rest: str = "") -> None:
        """Show how far a stage is. share: of 1, None: not known; rest: a text behind it, for which the bar makes room unless brief."""
        now = self.progress.tasks[0]
        if stage != now.description or (share is None) != (now.total is None) or (share or 0.0) < now.completed:
            self.progress.remove_task(self.task)  # another stage: the time left is that of one
            self.task = self._begin(stage, None if share is None else 1.0)
        wide = share is not None and (self.brief or not rest) and self.terminal.width >= NARROW
        self.progress.columns = (BarColumn(WIDEST), *self.alone) if wide else self.alone
        self.progress.update(self.task, completed=share or 0.0, rest=rest)

    def close(self) -> None:
        """Remove the line."""
        self.progress.stop()
