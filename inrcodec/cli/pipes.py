"""Standard input and standard output by the name `-`, and files whose names do not tell their type (--format)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..errors import InrcodecError, UnsupportedError, naming
from ..limits import Limits
from ..storage import check_output, reason, replace, scratch
from .output import call, data_follows, drop

PIPE = Path("-")
INPUT, OUTPUT = "standard input", "standard output"
BLOCK = 1 << 20  # bytes that are copied at a time


class Format(click.ParamType):  # type: ignore[type-arg]
    """A type of files, by its name or by one of its extensions."""

    name = "type"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Its extension, with the dot."""
        known = _known()
        wanted = str(value).lower()
        if wanted not in known:
            self.fail(f"{value!r} is no known type; give an extension: {' '.join(_usual())}", param, ctx)
        return known[wanted]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The extensions that begin so."""
        return [CompletionItem(name) for name in _usual() if name.startswith(incomplete.lower())]


def _extensions() -> list[tuple[str, tuple[str, ...]]]:
    """The types that can be read or written: name and extensions of each."""
    from .. import files
    from ..files import lossy, npz, registry

    signals = [(kind.name, kind.extensions) for kind in files.types()]
    pictures = [(kind.name, kind.extensions) for kind in lossy.LOSSY]
    others = [(kind.name, kind.extensions) for kind in files.CHECKPOINTS]
    return [*signals, *pictures, *others, ("npz", (npz.EXTENSION,)), *((e[1:], (e,)) for e in registry.MESHES)]


def _known() -> dict[str, str]:
    """Extensions by all words for them: with the dot and without, and the name of the type for its usual one."""
    found = {}
    for name, extensions in _extensions():
        for extension in extensions:
            found[extension] = found[extension[1:]] = extension
        found.setdefault(name.lower(), extensions[0])
    return found


def _usual() -> list[str]:
    """The usual extension of each type, without the dot."""
    return sorted({extensions[0][1:] for _, extensions in _extensions()})


@contextmanager
def source(path: Path, extension: str | None, limits: Limits, guess: bool = False) -> Iterator[Path]:
    """The file to read, for the `with` block: `path`; a temporary copy of standard input; or a link with another extension.

    extension: that of the type that --format names; None: the first bytes tell it, or the name. limits: what standard input may hold.
    guess: whether it may be of any type, and is no .linr file.

    Raises:
        click.UsageError: standard input is a terminal.
        InrcodecError: standard input cannot be read, or is empty; or the first bytes are those of another type than `extension` names.
        LimitError: it takes more memory than the limits allow.
    """
    if path != PIPE and (extension is None or path.name.lower().endswith(extension)):
        yield path
        return
    with scratch() as folder:
        made = folder / f"input{extension or ''}"
        if path == PIPE:
            call(made, INPUT)
            _spool(made, limits)
        else:
            call(made, str(path))
            _link(made, path)
        if made.is_file():
            _check_type(made, extension, guess)
        yield made


def _spool(made: Path, limits: Limits) -> None:
    """Copy standard input to a file."""
    stream = None if sys.stdin is None else sys.stdin.buffer
    if stream is None:
        raise InrcodecError(f"{INPUT}: is closed")
    if stream.isatty():
        raise click.UsageError(f"{INPUT} is a terminal; pipe a file into it, or give the name of one")
    size = 0
    try:
        with made.open("wb") as file, naming(Path(INPUT)):
            while block := stream.read(BLOCK):
                size += len(block)
                limits.check_memory(size)
                file.write(block)
    except OSError as fault:
        raise InrcodecError(f"{INPUT}: cannot be read: {reason(fault)}") from fault
    if not size:
        raise InrcodecError(f"{INPUT}: is empty")


def _link(made: Path, path: Path) -> None:
    """Let a file have another name too: by a link, or by a copy where there are no links. A fault is found where the name is read."""
    try:
        made.symlink_to(path.absolute())
    except OSError:
        with suppress(OSError):
            shutil.copyfile(path, made)


def _check_type(path: Path, extension: str | None, guess: bool) -> None:
    """Raise UnsupportedError if the first bytes of a file are those of another type than its extension, or tell none. See `source`."""
    from ..files import checkpoints, registry

    with naming(path):
        found = registry.shown(path)
        if found is not None and extension is not None and extension not in found.extensions:
            raise UnsupportedError(f"is a {found.name} file, not {extension}")
        if guess and extension is None and found is None and not registry.is_refused(path) and checkpoints.type_of(path) is None:
            raise UnsupportedError("its first bytes are of no known type; name it with --format")


@contextmanager
def target(path: Path, extension: str | None, force: bool, origin: Path) -> Iterator[Path]:
    """The file to write, in the `with` block: `path`, or a temporary one that becomes it, or is copied to standard output, at the end.

    extension: that of the type to be written, if the name does not tell it; force: whether `path` may be there; origin: the input, which
    must not be overwritten. After a fault nothing is written.

    Raises:
        click.UsageError: standard output is a terminal.
        InrcodecError: the output cannot be written.
    """
    if path == PIPE:
        if sys.stdout is not None and sys.stdout.isatty():
            raise click.UsageError(f"{OUTPUT} is a terminal, which shows no files; pipe it, or name an output with -o")
        data_follows()
        with scratch() as folder:
            made = folder / f"output{extension or ''}"
            call(made, OUTPUT)
            with _even_if_damaged(made, _send):
                yield made
    elif extension is None or path.name.lower().endswith(extension):
        yield path
    else:
        check_output(path, force, origin)
        with scratch(path.parent) as folder:
            made = folder / f"output{extension}"
            call(made, str(path))
            like = None if origin == PIPE else origin
            with _even_if_damaged(made, lambda made: replace(path, lambda at: _copy(made, at), force, like, like)):
                yield made


@contextmanager
def _even_if_damaged(made: Path, deliver: Any) -> Iterator[None]:
    """Deliver a file that was made in the `with` block; also if that exits with a status, as it does when not all could be decoded."""
    try:
        yield
    except click.exceptions.Exit:
        if made.exists():
            deliver(made)
        raise
    deliver(made)


def _copy(made: Path, at: Path) -> None:
    shutil.copyfile(made, at)


def _send(made: Path) -> None:
    """Copy a file to standard output."""
    if sys.stdout is None:
        raise InrcodecError(f"{OUTPUT}: is closed")
    try:
        with made.open("rb") as file:
            while block := file.read(BLOCK):
                sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as fault:
        drop(sys.stdout)
        raise InrcodecError(f"{OUTPUT}: cannot be written: {reason(fault)}") from fault
