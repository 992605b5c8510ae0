"""What became of many files: all results, sums of them, and how far the work is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .tasks import DONE, Action, Result


class Status(NamedTuple):
    """How far the work is.

    Attributes:
        result: what has ended just now; None at the beginning.
        done, total: files that have ended, and all.
        bytes_done, bytes_total: bytes of their sources.
        source_bytes, file_bytes: of those that are coded: of the sources, and of the .linr files.
    """

    result: Result | None
    done: int
    total: int
    bytes_done: int
    bytes_total: int
    source_bytes: int
    file_bytes: int

    def after(self, result: Result) -> Status:
        """The status when a result has come."""
        coded = result.file_bytes if result.status == "done" else 0
        return self._replace(
            result=result,
            done=self.done + 1,
            bytes_done=self.bytes_done + result.task.size,
            source_bytes=self.source_bytes + (result.source_bytes if coded else 0),
            file_bytes=self.file_bytes + coded,
        )


@dataclass(frozen=True)
class Report:
    """What became of all files.

    Attributes:
        action: what was done: "encode", "decode" or "verify".
        results: of all files, in the order of their names.
        root, output: the deepest folder that holds all inputs, and the folder of the outputs; "" if there is no such.
        seconds: from the first task to the last.
        complete: whether all tasks were begun; else the work was stopped.
        told: lines on the whole work, not on one file.
    """

    action: Action
    results: Sequence[Result]
    root: str = ""
    output: str = ""
    seconds: float = 0.0
    complete: bool = True
    told: tuple[str, ...] = ()

    @property
    def done(self) -> list[Result]:
        """The results of files with which nothing is wrong."""
        return [result for result in self.results if result.status == "done"]

    @property
    def skipped(self) -> list[Result]:
        """The results of files that were passed over."""
        return [result for result in self.results if result.status == "skipped"]

    @property
    def current(self) -> list[Result]:
        """Those of `skipped` that were done already."""
        return [result for result in self.skipped if result.fault == DONE]

    @property
    def failed(self) -> list[Result]:
        """The results of files at fault."""
        return [result for result in self.results if result.status == "failed"]

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and all was done."""
        return self.complete and not self.failed

    @property
    def source_bytes(self) -> int:
        """Bytes of all sources that were done."""
        return sum(result.source_bytes for result in self.done)

    @property
    def file_bytes(self) -> int:
        """Bytes of their .linr files."""
        return sum(result.file_bytes for result in self.done)

    @property
    def notices(self) -> list[str]:
        """What was done otherwise than asked, a line each."""
        return [*self.told, *(notice for result in self.results for notice in result.notices)]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values: what `--json` prints."""
        return {
            "action": self.action,
            "ok": self.ok,
            "complete": self.complete,
            "root": self.root,
            "output": self.output,
            "done": len(self.done),
            "skipped": len(self.skipped),
            "failed": len(self.failed),
            "source_bytes": self.source_bytes,
            "file_bytes": self.file_bytes,
            "seconds": round(self.seconds, 3),
            "notices": list(self.told),
            "files": [told(result) for result in self.results],
        }


def told(result: Result) -> dict[str, Any]:
    """A result as plain values."""
    task = result.task
    plain = {
        "source": task.source,
        "target": task.target,
        "status": result.status,
        "fault": result.fault,
        "source_bytes": result.source_bytes,
        "file_bytes": result.file_bytes,
        "raw_bytes": result.raw_bytes,
        "kind": result.kind,
        "profile": result.profile,
        "digest": result.digest,
        "sha256": result.file_digest,
        "seconds": round(result.seconds, 3),
        "notices": list(result.notices),
        "deleted": result.deleted,
    }
    return {name: value for name, value in plain.items() if value not in ("", [], False)}
