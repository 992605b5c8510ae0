"""Files → `Comparison`: each file is read once, and given to one codec after the other."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..batch import content, doing, places
from ..batch import plan as plans
from ..batch.plan import Plan
from ..batch.tasks import Result, Task
from ..errors import InrcodecError, Stopped, keeping_notices, quiet
from ..options import Options
from ..peers import PEERS, Peer, Unsuited
from ..signal import Signal
from ..storage import scratch
from .machine import machine
from .ours import Ours
from .result import ARRAYS, LATTICE, PLAIN, SOUND, UNSURE, Comparison, FileResult, Measurement, is_ours
from .worker import Worker

TIMEOUT = 600.0  # seconds for a codec and a file, once
NO_SIGNAL = "holds several arrays or tensors; pictures, sounds and single arrays are measured"


@dataclass(frozen=True)
class Settings:
    """What is measured, and how.

    Attributes:
        efforts: of inrcodec, each measured by itself.
        peers: the other codecs.
        threads: that codecs with threads have; 0: as many as there are cores.
        timeout: seconds for a codec and a file, to encode it and decode it once.
        pixels: whether to take the pixels of lossy pictures; max_samples, max_memory: limits of what is read, 0 or None: the usual ones.
        command: what `Comparison.command` is to say.
    """

    efforts: tuple[int, ...] = (Options.effort,)
    peers: tuple[Peer, ...] = PEERS
    threads: int = 0
    timeout: float = TIMEOUT
    pixels: bool = False
    max_samples: int | None = None
    max_memory: int | None = None
    command: str = ""

    @property
    def ours(self) -> list[Ours]:
        """inrcodec at each effort."""
        return [Ours(effort, len(self.efforts) > 1) for effort in self.efforts]


class NothingError(InrcodecError):
    """There is no file that can be measured. refused: by path, why not."""

    def __init__(self, message: str, refused: dict[str, str]) -> None:
        super().__init__(message)
        self.refused = refused


class Status(NamedTuple):
    """How far a comparison is. path, codec: what is measured now; done, total: files; share: of all bytes, from 0 to 1."""

    path: str
    codec: str
    done: int
    total: int
    share: float


@dataclass
class _Run:
    """A comparison as it goes on. workers: by the name of the codec."""

    settings: Settings
    threads: int
    codecs: list[Peer]
    missing: dict[str, str]
    workers: dict[str, Worker]
    progress: Callable[[Status], None] | None = None
    stop: Callable[[], bool] | None = None
    files: list[FileResult] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)  # versions of the codecs that were asked
    lacking: dict[str, str] = field(default_factory=dict)  # of `missing` those that would have been asked


def compare(
    paths: Sequence[places.Name],
    settings: Settings | None = None,
    progress: Callable[[Status], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Measure codecs at files. Nothing is written but temporary files.

    Args:
        paths: files, folders and patterns, as of `inrcodec.batch.encode`.
        settings: what is measured, and how.
        progress: called before each codec and file.
        stop: asked now and then; when it returns True, what is being measured is given up, and the result is that of the files before.

    Returns:
        What was found. Files that cannot be read, or are of no type that is encoded, are in `refused`.

    Raises:
        InrcodecError: there is no such file.
        NothingError: none can be measured.
    """
    settings = settings or Settings()
    return compare_planned(planned(paths, settings), paths, settings, progress, stop)


def compare_planned(
    plan: Plan,
    paths: Sequence[places.Name],
    settings: Settings,
    progress: Callable[[Status], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Comparison:
    """`compare` for a caller who has listed the files: plan is what `planned` made of the same paths and settings."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    with scratch() as folder, _running(settings, folder) as run:
        run.progress, run.stop = progress, stop
        run.refused |= {result.task.name: _why(result) for result in plan.settled}
        complete = _measure_all(run, plan)
    if complete and not run.files:
        raise NothingError(_nothing(paths, run.refused), dict(sorted(run.refused.items())))
    return Comparison(
        tuple(run.files),
        run.lacking,
        dict(sorted(run.refused.items())),
        {"inrcodec": __version__, "Python": platform.python_version(), **run.used},
        machine(),
        settings.command,
        run.threads,
        date,
        complete,
    )


def planned(paths: Sequence[places.Name], settings: Settings) -> Plan:
    """What the paths stand for: a task for each file that is measured; it names the file, and says how it is read. Raises InrcodecError."""
    template = doing.template("encode", False, False, _reading(settings))
    with scratch() as folder:
        return plans.make(template, list(paths), folder / "none", several=True)


def _reading(settings: Settings) -> dict[str, object]:
    """What a task says of how its source is read."""
    given: dict[str, object] = {"max_samples": settings.max_samples or None, "max_memory": settings.max_memory or None}
    return given | ({"pixels": True} if settings.pixels else {})


@contextmanager
def _running(settings: Settings, folder: Path) -> Iterator[_Run]:
    """A run with its workers, which end with the `with` block."""
    missing = {peer.name: why for peer in settings.peers if (why := peer.missing())}
    codecs = [*settings.ours, *(peer for peer in settings.peers if peer.name not in missing)]
    threads = settings.threads or os.cpu_count() or 1
    workers = {}
    for number, peer in enumerate(codecs):
        own = folder / str(number)
        own.mkdir()
        workers[peer.name] = Worker(peer, own, threads)
    try:
        yield _Run(settings, threads, codecs, missing, workers)
    finally:
        for worker in workers.values():
            worker.close()


def _why(result: Result) -> str:
    """Why a file is not taken, without its name."""
    return result.fault.removeprefix(f"{result.task.source}: ")


def _nothing(paths: Sequence[places.Name], refused: dict[str, str]) -> str:
    """The line that says why nothing could be measured."""
    if len(refused) == 1 == len(paths):
        return f"{os.fspath(paths[0])}: {next(iter(refused.values()))}"
    why = f" ({len(refused)} were refused; the first: {next(iter(refused))}: {next(iter(refused.values()))})" if refused else ""
    return f"{os.fspath(paths[0])}: there is no file to measure{why}"


def _measure_all(run: _Run, plan: Plan) -> bool:
    """Measure the files of a plan; whether all of them were."""
    total, before = max(1, sum(task.size for task in plan.tasks)), 0
    for done, task in enumerate(plan.tasks):
        if run.stop is not None and run.stop():
            return False
        signal = _read(run, task)
        if signal is not None:
            share = before / total, task.size / total
            try:
                run.files.append(_measure(run, task, signal, (done, len(plan.tasks)), share))
            except Stopped:
                return False
        before += task.size
    return True


def _read(run: _Run, task: Task) -> Signal | None:
    """The signal of a file; None: it is refused."""
    try:
        with quiet(), keeping_notices(), places.local(task.source) as path:
            signal = content.read(path, task.options)
    except (InrcodecError, OSError, MemoryError) as fault:
        text = "not enough memory" if isinstance(fault, MemoryError) else str(fault)
        run.refused[task.name] = " ".join(text.removeprefix(f"{task.source}: ").split())
        return None
    if not isinstance(signal, Signal):
        run.refused[task.name] = NO_SIGNAL
        return None
    return bare(signal)


def bare(signal: Signal) -> Signal:
    """A signal without metadata, as it is measured."""
    return replace(signal, metadata={})


def _group(lattice: bool, measurements: Sequence[Measurement]) -> str:
    """The group of a picture."""
    known = any(is_ours(one.codec) for one in measurements)
    return LATTICE if lattice else PLAIN if known else UNSURE


def _measure(run: _Run, task: Task, signal: Signal, files: tuple[int, int], share: tuple[float, float]) -> FileResult:
    """What all codecs make of a file. files: how many are done, of how many; share: of all bytes that is done, and of this file.

    Raises Stopped.
    """
    asked = [peer for peer in run.codecs if signal.kind in peer.kinds]
    suited = [peer.name for peer in run.settings.peers if signal.kind in peer.kinds]
    run.lacking |= {name: run.missing[name] for name in suited if name in run.missing}
    run.lacking |= {peer.name: why for peer in asked if (why := peer.lesser())}
    measurements: list[Measurement] = []
    faults, lattice = {}, False
    for number, peer in enumerate(asked):
        if run.progress is not None:
            run.progress(Status(task.name, peer.name, *files, share[0] + share[1] * number / len(asked)))
        if not is_ours(peer.name) and peer.name not in run.used:
            run.used[peer.name] = peer.version()
        try:
            trial = run.workers[peer.name].measure(signal, run.settings.timeout, run.stop)
        except Unsuited as fault:
            faults[peer.name] = str(fault)
            continue
        lattice = lattice or bool(trial.notes.get("lattice"))
        measurements.append(Measurement(peer.name, peer.told(signal.kind), *trial[:4]))
    group = SOUND if signal.kind == "audio" else ARRAYS if signal.kind == "array" else _group(lattice, measurements)
    dtype = "bfloat16" if signal.bfloat16 else str(signal.samples.dtype)
    shape = tuple(map(int, signal.samples.shape))
    return FileResult(task.name, group, signal.kind, shape, dtype, signal.raw_bytes, task.size, tuple(measurements), faults)
