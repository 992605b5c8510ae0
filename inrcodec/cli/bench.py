"""`inrcodec bench`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..batch.plan import UNKNOWN, Plan
from ..compare.result import NOT_BACK, Comparison, is_ours
from ..compare.run import TIMEOUT, NothingError, Settings, Status, bare, compare_planned, planned
from ..compare.summary import median_file, summarize, to_csv
from ..errors import InrcodecError, Stopped, quiet
from ..options import LIMITS, Options
from ..peers import PEERS, Peer
from ..signal import Signal
from ..storage import check_output, replace_bytes, same_file
from . import benchtable, many
from .common import FORCE, IN, PIXELS, THREADS, with_limits
from .headings import TELLING, Command, under
from .output import JSON, QUIET, is_quiet, report, say
from .progress import ProgressLine
from .signals import interruptible, on_terminal

if TYPE_CHECKING:
    from ..batch.tasks import Task
    from ..report import Choice

INTERRUPTED = 130  # the exit status after Ctrl-C
PLACEHOLDER = "-"  # for the spaces in the names of codecs
NAMES = {peer.name.lower().replace(" ", PLACEHOLDER): peer for peer in PEERS}

MEASURED = under(
    "What is measured",
    click.option(
        "-e",
        "--effort",
        "efforts",
        type=click.IntRange(int(LIMITS["effort"][0]), int(LIMITS["effort"][1])),
        multiple=True,
        help=f"An effort of inrcodec. Given several times, each is measured. Default: {Options.effort}.",
    ),
    click.option(
        "-c",
        "--codec",
        "codecs",
        type=click.Choice(list(NAMES), case_sensitive=False),
        metavar="NAME",
        multiple=True,
        help=f"A codec to measure beside inrcodec; may be given several times. Default: all that take such files: {', '.join(NAMES)}.",
    ),
    THREADS,
    click.option(
        "--timeout",
        type=click.FloatRange(0, 10**6, min_open=True),
        default=TIMEOUT,
        show_default=True,
        help="Seconds that a codec may take to encode and decode a file once. One that takes longer is ended and named.",
    ),
    PIXELS,
)
OUTPUT = under(
    "Output",
    click.option("--csv", "table", type=IN, help="Write a line for each file and codec into this file."),
    click.option("--html", "page", type=IN, help="Write a page with tables, charts and a picture into this file; it needs no other file."),
    click.option(
        "--picture",
        metavar="FILE",
        help="The picture that the page shows, with a map of where its bits go. Default: the one of median ratio.",
    ),
    FORCE,
)


@click.command(cls=Command, short_help="Compare inrcodec with other codecs on your files.")
@click.argument("paths", metavar="PATH…", type=many.PLACE, nargs=-1, required=True)
@MEASURED
@OUTPUT
@with_limits
@under(TELLING, QUIET, JSON)
@click.pass_context
def bench(ctx: click.Context, /, paths: tuple[Any, ...], table: Path | None, page: Path | None, picture: str | None, **given: Any) -> None:
    """Measure inrcodec and other lossless codecs on files, and on all files in folders. The files are only read.

    Each codec encodes the samples of each file and decodes them again, and every sample is compared. Bytes, the seconds of encoding and
    decoding, and the peak of memory are told. Pictures: PNG, WebP, JPEG XL, JPEG 2000, JPEG-LS, AVIF. Sound: FLAC, WavPack. Arrays: JPEG
    XL, JPEG 2000, JPEG-LS, Blosc2, pcodec. All are set to make small files, so that it takes a while: JPEG XL and WebP 5 to 10 seconds
    for a picture of 400,000 pixels on two idle cores. One that is not installed is named.

    Pictures with a hidden colour lattice have a table of their own: they passed through JPEG, video or PhotoCD, and inrcodec makes much
    smaller files of them.

    Ctrl-C ends the run; what was measured until then is told.

    \b
    inrcodec bench photos                        all files in a folder
    inrcodec bench photos --html bench.html      and a page to look at
    inrcodec bench a.png b.png -e 1 -e 4 -e 5    three efforts
    inrcodec bench takes -c flac -t 1            sound, FLAC alone, one thread
    inrcodec bench photos -c jpeg-xl -c webp     two other codecs
    inrcodec bench scans --csv bench.csv         for a spreadsheet
    inrcodec bench photos --json > bench.json    for programs
    inrcodec bench photos --pixels               JPEGs too, as pixels
    """
    force = given.pop("force")
    if picture and not page:
        raise click.UsageError("--picture is for the page that --html writes")
    for target in filter(None, (table, page)):
        check_output(target, force)
    settings, names = _settings(ctx, given), [os.fspath(path) for path in paths]
    plan = planned(names, settings)
    for target in filter(None, (table, page)):
        _check_no_input(target, plan)
    if picture:
        _wanted(plan.tasks, picture)
    found = _measured(names, settings, plan)
    report(comparison=found.to_json())
    for line in benchtable.lines(found):
        say(line)
    faults = _told_faults(found)
    if table:
        replace_bytes(table, to_csv(found).encode("utf-8", "backslashreplace"), force)
        say(f"{table}: written")
    if page:
        _write_page(page, found, plan.tasks, picture, settings, force)
        say(f"{page}: written")
    faults = _told_unmeasured(found, [NAMES[name] for name in dict.fromkeys(given["codecs"])]) or faults
    if not found.complete or faults:
        raise click.exceptions.Exit(1 if found.complete else INTERRUPTED)


def _check_no_input(target: Path, plan: Plan) -> None:
    """Raise InrcodecError if a file to be written is one of those that are read, by whatever name."""
    sources = [task.source for task in plan.tasks] + [result.task.source for result in plan.settled if not result.fault.endswith(UNKNOWN)]
    if target.exists() and any(same_file(target, Path(source)) for source in sources):
        raise InrcodecError(f"{target}: is one of the inputs; give the output another name")


def _measured(names: Sequence[str], settings: Settings, plan: Plan) -> Comparison:
    """What is found. Exits if that is nothing, with all that was refused told."""
    try:
        with interruptible("; what is measured is told") as stop, _shown() as progress:
            found = compare_planned(plan, names, settings, progress, stop)
    except NothingError as fault:
        report(refused=fault.refused)
        for line in benchtable.refused(fault.refused) if len(fault.refused) > 1 else ():
            say(line)
        raise
    if not found.files:
        report(ok=False, fault="interrupted; nothing was measured")
        say("inrcodec: interrupted; nothing was measured", err=True)
        raise click.exceptions.Exit(INTERRUPTED)
    return found


def _told_unmeasured(found: Comparison, asked: Sequence[Peer]) -> bool:
    """Say why codecs that were asked for gave nothing, where no table does; whether none of them gave anything."""
    measured = {one.codec for file in found.files for one in file.measurements}
    for peer in asked:
        if peer.name not in found.codecs() and peer.name not in found.missing:
            say(f"{peer.name} was not measured: {peer.missing() or 'it takes no file of these kinds'}")
    if not asked or not found.complete or any(peer.name in measured for peer in asked):
        return False
    fault = f"none of the codecs asked for was measured: {', '.join(peer.name for peer in asked)}"
    report(ok=False, fault=fault)
    say(f"inrcodec: {fault}", err=True)
    return True


def _settings(ctx: click.Context, given: dict[str, Any]) -> Settings:
    """What is measured, by the options that are given."""
    peers = tuple(NAMES[name] for name in dict.fromkeys(given["codecs"])) or PEERS
    return Settings(
        efforts=tuple(dict.fromkeys(given["efforts"])) or (Options.effort,),
        peers=tuple(peer for peer in PEERS if peer in peers),
        threads=given["threads"] or 0,
        timeout=given["timeout"],
        pixels=given["pixels"],
        max_samples=given["max_samples"],
        max_memory=given["max_memory"],
        command=_command(ctx),
    )


def _command(ctx: click.Context) -> str:
    """The command line as it was given, with the long names of options."""
    words: list[str] = []
    for param in ctx.command.params:
        source, value = ctx.get_parameter_source(param.name or ""), ctx.params.get(param.name or "")
        if source is not click.core.ParameterSource.COMMANDLINE or not isinstance(param, click.Option):
            continue
        name = param.opts[-1]
        if param.is_flag:
            words.append(name)
        else:
            for each in value if param.multiple and isinstance(value, tuple) else (value,):
                words += [name, f"{each:g}" if isinstance(each, float) else str(each)]
    return shlex.join(["inrcodec", "bench", *(os.fspath(path) for path in ctx.params["paths"]), *words])


@contextmanager
def _shown() -> Iterator[Callable[[Status], None] | None]:
    """What shows how far a comparison is; None: nothing is shown."""
    if not on_terminal() or is_quiet():
        yield None
        return
    from .bar import Bar

    bar = Bar(brief=True)
    try:
        yield lambda status: bar.show("measuring", status.share, f"{status.done + 1} of {status.total} files, {status.codec}")
    finally:
        bar.close()


def _write_page(page: Path, found: Comparison, tasks: Sequence[Task], picture: str | None, settings: Settings, force: bool) -> None:
    """Write the page. The first Ctrl-C leaves out the picture. Raises InrcodecError: it is none, or the page cannot be written."""
    from .. import report as pages

    line = ProgressLine(on_terminal() and not is_quiet())
    try:
        with interruptible("; the page shows no picture") as stop:
            choice = _choice(found, tasks, picture, settings, Options(progress=line, stop=stop)) if found.complete else None
            pages.write(page, found, choice, force)
    except Stopped:
        pages.write(page, found, None, force)
    finally:
        line.clear()


def _choice(found: Comparison, tasks: Sequence[Task], picture: str | None, settings: Settings, watching: Options) -> Choice | None:
    """The picture that the page shows, coded as it was measured; None: there is none. watching: of it, progress and stop matter.

    Raises:
        InrcodecError: what was asked for is no picture, or was not measured; or the file cannot be read any more.
        Stopped: `stop` of the options said so.
    """
    from ..batch import content, places
    from ..report import Choice

    pictures = {file.path: file for file in found.files if file.kind in ("image", "stack")}
    median = median_file(list(pictures.values()))
    name = _wanted(tasks, picture).name if picture else median.path if median else None
    if name is None:
        return None
    if name not in pictures:
        raise InrcodecError(f"{picture}: {found.refused.get(name, 'is no picture')}")
    task = next(task for task in tasks if task.name == name)
    with quiet(), places.local(task.source) as path:
        signal = content.read(path, task.options)
        if not isinstance(signal, Signal):
            raise InrcodecError(f"{task.source}: is no picture any more")
        limits = content.limits_of(task.options)
        options = replace(
            watching,
            effort=_effort(found, pictures[name].group, settings),
            threads=settings.threads,
            verify=False,
            max_samples=limits.max_samples,
            max_memory=limits.max_memory,
        )
        return Choice(name, signal, content.encode(bare(signal), options), options)


def _effort(found: Comparison, group: str, settings: Settings) -> int:
    """The effort that is told of for a group."""
    told = {summary.group: summary.ours for summary in summarize(found)}[group]
    return next((ours.effort for ours in settings.ours if ours.name == told), settings.efforts[0])


def _wanted(tasks: Sequence[Task], name: str) -> Task:
    """The task of a name: a path below the folder of all inputs, or the end of one. Raises InrcodecError."""
    plain = name.replace(os.sep, "/").removeprefix("./")
    inside = [task for task in tasks if f"/{plain}".endswith(f"/{task.name}")]
    ends = [max(inside, key=lambda task: len(task.name))] if inside else [task for task in tasks if task.name.endswith(f"/{plain}")]
    if not ends:
        raise InrcodecError(f"{name}: is none of the files to be measured")
    return ends[0]


def _told_faults(found: Comparison) -> bool:
    """Say where inrcodec failed, and that a run was interrupted; whether it failed at a file."""
    faults = [f"{file.path}: {codec} {why}" for file in found.files for codec, why in file.faults.items() if is_ours(codec)]
    lost = [fault for fault in faults if fault.endswith(NOT_BACK)]
    if faults:
        report(ok=False, fault=(lost or faults)[0], faults=faults)
    for fault in faults:
        say(f"inrcodec: {fault}", err=True)
    if not found.complete:
        say("inrcodec: interrupted; only a part of the files was measured", err=True)
    return bool(faults)
