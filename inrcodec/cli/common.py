"""What the commands share: names of files, options, reading and decoding of files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem

from ..errors import InrcodecError, naming, spelling
from ..limits import MAX_SAMPLES, UNLIMITED, Limits
from ..options import LIMITS, Options
from ..storage import CHANGED, SEPARATORS, new_folder, reason, replace, replace_bytes, stamp
from .headings import LIMITING, under
from .output import is_quiet, report, say
from .pipes import PIPE
from .progress import ProgressLine
from .signals import on_terminal

if TYPE_CHECKING:
    from ..signal import Signal

SUFFIX = ".linr"


class FileName(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click only
    """The name of a file. Whether it can be read or written is found out by reading or writing it.

    folders: whether it may also be that of a folder, and then end in a separator; new: of a folder that is not there yet, if no type of
    files has such a name.
    """

    name = "path"

    def __init__(self, folders: bool = False, new: bool = False) -> None:
        self.folders, self.new = folders, new

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Raises InrcodecError if the name is empty or that of a directory."""
        name = os.fspath(value)
        if not name:
            raise InrcodecError("the name of a file is empty")
        if name != str(PIPE) and Path(name) == PIPE:  # ./-, a file of that name
            return Path(name).absolute()
        if name.endswith(SEPARATORS) and not self._is_folder(name):  # Path would drop it
            raise InrcodecError(f"{name}: {'is a directory' if os.path.isdir(name) else 'no file has a name that ends like this'}")
        return Path(name)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Lets the shell complete names of files."""
        return [CompletionItem(incomplete, type="file")]

    def _is_folder(self, name: str) -> bool:
        """Whether a name that ends in a separator may stand for a folder."""
        from ..files.registry import is_named

        if os.path.isdir(name) or not self.new:
            return self.folders and os.path.isdir(name) and bool(Path(name).name)
        return not is_named(Path(name))


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A time as seconds, minutes:seconds or hours:minutes:seconds. positive: whether it must be above 0."""

    name = "seconds"

    def __init__(self, positive: bool) -> None:
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time in seconds."""
        try:
            total = 0.0
            for part in str(value).split(":"):
                total = 60 * total + float(part)
        except ValueError:
            self.fail(f"{value!r} is not a time; give seconds or minutes:seconds, like 12.5 or 1:30", param, ctx)
        if not (0 < total < 1e9 or (total == 0 and not self.positive)):
            self.fail(f"{value!r} is out of range; the time must be {'above 0' if self.positive else '0 or more'}", param, ctx)
        return total


class Region(click.ParamType):  # type: ignore[type-arg]
    """A part of a picture, LEFT,TOP,WIDTH,HEIGHT or WIDTHxHEIGHT+LEFT+TOP."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[slice, slice]:
        """Its rows and its columns."""
        if match := re.fullmatch(r"(\d{1,10}),(\d{1,10}),([1-9]\d{0,9}),([1-9]\d{0,9})", str(value)):
            left, top, width, height = map(int, match.groups())
        elif match := re.fullmatch(r"([1-9]\d{0,9})x([1-9]\d{0,9})\+(\d{1,10})\+(\d{1,10})", str(value)):
            width, height, left, top = map(int, match.groups())
        else:
            self.fail(f"{value!r} is no region; give LEFT,TOP,WIDTH,HEIGHT, like 100,50,256,256", param, ctx)
        return slice(top, top + height), slice(left, left + width)


class Pages(click.ParamType):  # type: ignore[type-arg]
    """Pages of a stack, counted from 1: N, or FIRST,LAST."""

    name = "pages"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | slice:
        """The page, counted from 0, or a slice of such."""
        match = re.fullmatch(r"([1-9]\d{0,9})(?:,([1-9]\d{0,9}))?", str(value))
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            self.fail(f"{value!r} is no page; give its number, like 3, or the first and the last, like 3,7", param, ctx)
        return slice(int(match[1]) - 1, int(match[2])) if match[2] else int(match[1]) - 1


class Count(click.ParamType):  # type: ignore[type-arg]
    """A whole number above 0; it may end in k, M, G or T, a thousand, a million, …"""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        text = str(value).strip()
        scale = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}.get(text[-1:], 1)
        try:
            number = round(float(text[:-1] if scale > 1 else text) * scale)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a number; give one like 500000000 or 500M (k, M, G and T are thousands, millions, …)", param, ctx)
        if not 1 <= number <= UNLIMITED:
            self.fail(f"{value!r} is out of range; it can be 1 to {UNLIMITED}", param, ctx)
        return number


class Effort(click.Option):
    """The option --effort, with -1, -2, … as short forms of its values."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add all forms of the option."""
        super().add_to_parser(parser, ctx)
        for n in range(int(LIMITS["effort"][0]), int(LIMITS["effort"][1]) + 1):
            parser.add_option(self, [f"-{n}"], dest=self.name, action="store_const", const=str(n))


IN, FILE_OR_FOLDER, NEW = FileName(), FileName(folders=True), FileName(folders=True, new=True)
THREADS = click.option(
    "-t", "--threads", type=click.IntRange(1, int(LIMITS["threads"][1])), help="Threads to use. Default: as many as cores."
)
FORCE = click.option("-f", "--force", is_flag=True, help="Overwrite an existing output.")
PIXELS = click.option(
    "--pixels",
    is_flag=True,
    help="Take the pixels of a lossy picture: JPEG, AVIF, lossy WebP, or GIF of one frame. What is coded is exact, but it takes more bytes "
    "than that file, which does not come back. Without this option such files are refused.",
)

Command = TypeVar("Command", bound=Callable[..., Any])
Found = TypeVar("Found")


def with_limits(command: Command) -> Command:
    """Give a command the options --max-samples and --max-memory, as arguments max_samples and max_memory."""
    samples = click.option(
        "--max-samples",
        type=Count(),
        default=MAX_SAMPLES,
        help="Refuse an input that declares more samples. It may end in k, M, G or T: 2G is 2,000,000,000. Default: 2,147,483,648.",
    )
    memory = click.option(
        "--max-memory",
        type=Count(),
        help="Refuse an input that would take more bytes of memory to read (of .linr: to decode), as 500M. Default: the machine's memory.",
    )
    return under(LIMITING, samples, memory)(command)


def options_of(**given: Any) -> Options:
    """The Options with these fields. Raises click.UsageError if one is out of range."""
    try:
        return Options(**given)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault


def read_linr(path: Path, given: Mapping[str, Any], damaged: bool = False) -> bytes:
    """The bytes of a .linr file, which are read only if the first of them are right, and as far as the limits allow.

    given: the arguments that `with_limits` makes; damaged: whether the first bytes may be. Raises InrcodecError, naming the file.
    """
    from ..files import bounds

    return bounds.read_linr(path, limits_of(given), damaged)


def limits_of(given: Mapping[str, Any]) -> Limits:
    """The limits in the arguments that `with_limits` makes."""
    return Limits(given["max_samples"], given["max_memory"] or 0)


def read_signal(path: Path, limits: Limits, pixels: bool = False) -> Signal:
    """Read a file of a registered type. pixels: or of a lossy one. Raises InrcodecError, naming the file."""
    from .. import files

    try:
        return files.read(path, limits, pixels)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def read_input(path: Path, voxels: int | None, limits: Limits, pixels: bool = False) -> Signal:
    """As `read_signal`, or the voxels of a mesh. Raises click.UsageError if one is given without the other."""
    from ..files import mesh
    from ..files.registry import MESHES

    if voxels is None and mesh.is_mesh(path):
        raise click.UsageError(f"{path} is a mesh; say by --voxels how many it becomes along its longest side, such as --voxels 128")
    if voxels is None:
        return read_signal(path, limits, pixels)
    if not mesh.is_mesh(path):
        raise click.UsageError(f"--voxels is for a mesh, and {path} is not named {', '.join(MESHES)}")
    try:
        return mesh.read(path, voxels, limits)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def check_type(output: Path) -> None:
    """Raise InrcodecError if the extension of an output names no type that can be written."""
    from .. import files
    from ..files import mesh

    if mesh.is_mesh(output):
        mesh.check(output)
    else:
        files.check(output)


def write_as(output: Path, write: Callable[[Path], None], force: bool, source: Path) -> None:
    """Write a file by a function that is given the name of a temporary one. source: must not be overwritten; its times are kept."""

    def named(path: Path) -> None:
        with spelling(path, output):
            write(path)

    replace(output, named, force, source, like=source)


def decoded(decode: Callable[[Options], Found], **given: Any) -> Found:
    """What `decode` makes with Options of these fields, with a line of progress."""
    line = ProgressLine(on_terminal() and not is_quiet())
    try:
        return decode(options_of(progress=line, **{name: value for name, value in given.items() if value is not None}))
    finally:
        line.clear()


def coded(line: ProgressLine, source: Path, encode: Callable[[], bytes]) -> bytes:
    """What `encode` makes of a file, with a line of progress. Raises InrcodecError, naming the file."""
    line.say("coding")
    try:
        with naming(source):
            return encode()
    finally:
        line.clear()


def write_linr(target: Path, data: bytes, switches: Mapping[str, Any], source: Path) -> None:
    """Write the bytes of a .linr file. source: must not be overwritten; its times are kept.

    switches: force; stamp: see `storage.stamp`, of the source before it was read. Raises InrcodecError: the source was changed since.
    """
    if switches["stamp"] != stamp(source):
        raise InrcodecError(f"{source}: {CHANGED}")
    replace_bytes(target, data, switches["force"], source, like=source)


def report_coded(source: Path, target: Path, found: Mapping[str, Any], seconds: float, **more: Any) -> None:
    """Report what encoding a file has come to. found: what `info` says of the result; more: other fields.

    "ratio" is raw_bytes / file_bytes. "source_bytes" is null for a folder.
    """
    raw, size = found["raw_bytes"], found["file_bytes"]
    report(
        input=source,
        output=target,
        **more,
        source_bytes=source.stat().st_size if source.is_file() else None,
        raw_bytes=raw,
        file_bytes=size,
        ratio=round(raw / size, 4),
        lossless=found.get("lossless", True),
        digest=found["digest"],
        seconds=round(seconds, 3),
    )


def facts(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the object of --json says of a .linr file that was decoded. given: the arguments that `with_limits` makes."""
    from .inspect import info_of

    found = info_of(path, given)
    return {name: found[name] for name in ("kind", "profile", "raw_bytes", "file_bytes", "digest") if name in found}


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(inside.stat().st_size for inside in path.iterdir()) if path.is_dir() else path.stat().st_size


def write_signal(output: Path, found: Signal, force: bool, source: Path) -> None:
    """Write a signal to a file of the type that its name says, and say what that type does not keep. source: must not be overwritten.

    Of a volume that is written as a mesh, the surface is kept, and nothing is said.
    """
    from .. import files
    from ..files import mesh

    lost: list[str] = []

    def write(path: Path) -> None:
        if mesh.is_mesh(path):
            mesh.write(path, found)
            return
        files.write(path, found)
        lost.extend(sorted(files.lost(path, found)))

    write_as(output, write, force, source)
    report(not_kept=lost)
    if lost:
        say(f"inrcodec: {output}: this format does not keep exactly: {shortened(lost)}", err=True)


def write_folder(output: Path, found: Signal) -> None:
    """Write the DICOM files that a volume was read from into a new folder."""
    from .. import files

    def write(path: Path) -> None:
        with spelling(path, output):
            files.write(path, found)

    new_folder(output, write)


MOST_NAMES = 20  # of metadata
MOST_LINES = 20  # of a report on a damaged file


def shortened(names: Sequence[str]) -> str:
    """Names as a list, of which only the first are there if it is long."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def tell_verified(
    input: Path, original: Path | None, found: Any, count: str, read: Callable[[Path], Any], difference: Callable[[Any, Any], str]
) -> None:
    """Tell that a bundle was verified, after comparing it with an original if there is one. Raises InrcodecError: they differ.

    found: what it decodes to; count: what that is, in words; read: reads the original; difference: the first thing in which they differ.
    """
    if original is None:
        say(f"{input}: OK, {count} match their digest")
        return
    other = read(original)
    if not found.equals(other):
        raise InrcodecError(f"{input}: differs from {original} in {difference(found, other)}")
    say(f"{input}: OK, the same as {original}")


def fail(path: Path, faults: Sequence[str]) -> NoReturn:
    """Print what is wrong with a file, a line each, and exit with status 1."""
    report(fault=f"{path}: {faults[0]}", faults=list(faults))
    for fault in faults[:MOST_LINES]:
        say(f"inrcodec: {path}: {fault}", err=True)
    if len(faults) > MOST_LINES:
        say(f"inrcodec: {path}: and {len(faults) - MOST_LINES} more", err=True)
    raise click.exceptions.Exit(1)
