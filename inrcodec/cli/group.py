"""The group of commands: it imports a command when it is asked for, and turns every expected fault into one line and an exit status."""

from __future__ import annotations

import sys
import warnings
from collections import UserDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from ..errors import InrcodecError, Notice, Stopped
from ..storage import reason
from .output import PIPE_CLOSED, any_encoding, drop, plain, running, say, tell
from .signals import INTERRUPTED, ending


class OnDemand(UserDict[str, Any]):
    """Commands by name, each imported when it is looked up. data: the module of each, see `Commands`."""

    def __getitem__(self, name: str) -> click.Command:
        found = self.data[name]
        return found if isinstance(found, click.Command) else getattr(import_module(f"{__package__}.{found}"), name)


class Commands(click.Group):
    """The group of commands. modules: for each command, the name of the module in this folder that has a function of the same name."""

    def __init__(self, *given: Any, modules: Mapping[str, str], **more: Any) -> None:
        super().__init__(*given, **more)
        self.commands = OnDemand(modules)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the file types at the end of the help."""
        with formatter.section("File types"):
            for line in self.file_types():
                formatter.write_text(line)

    def file_types(self) -> Iterator[str]:
        """The registered file types, a line for each kind."""
        from .. import files

        for kind, title in (("image", "pictures"), ("audio", "sound"), ("array", "arrays")):
            known = [t for t in files.types() if t.holds == kind]
            text = ", ".join(f"{t.name} ({' '.join(t.extensions)}{'' if t.write else ', read only'})" for t in known)
            yield f"{title}: {text}"
        yield "pictures, with --pixels: " + ", ".join(f"{t.name} ({' '.join(t.extensions)})" for t in files.lossy.LOSSY)
        yield f"several arrays: NumPy ({files.npz.EXTENSION})"
        yield "checkpoints: " + ", ".join(f"{t.name} ({' '.join(t.extensions)})" for t in files.CHECKPOINTS)

    def main(self, *given: Any, **more: Any) -> Any:
        """Run the program. In standalone mode, as a program of its own, it ends by signals as `signals` says."""
        any_encoding()
        if not more.get("standalone_mode", True):
            return super().main(*given, **more)
        with ending():
            return super().main(*given, **more)

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        """Parse the arguments of the group."""
        with _faults():
            return super().make_context(*given, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Exit with status 1 on a fault of the data, of a file or of memory, and with 130 if interrupted."""
        only_notices()
        with running(), _faults():
            done = super().invoke(ctx)
            tell()
            return done


@contextmanager
def _faults() -> Iterator[None]:
    """Turn expected faults inside the `with` block into one line and an exit status."""
    try:
        yield
    except click.UsageError as fault:
        message = "\n".join(map(plain, fault.format_message().split("\n")))
        tell(message)
        raise click.UsageError(message, fault.ctx) from None
    except InrcodecError as fault:
        _fail(str(fault))
    except MemoryError:
        _fail("not enough memory")
    except click.exceptions.Exit as fault:  # the lines are printed already
        if fault.exit_code:
            tell("failed")
        raise
    except BrokenPipeError:  # the reader, such as head, has enough
        drop(sys.stdout)
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except OSError as fault:
        _fail(f"{fault.filename}: {reason(fault)}" if fault.filename else reason(fault))
    except (KeyboardInterrupt, Stopped):
        say(INTERRUPTED, err=True)
        tell("interrupted")
        raise click.exceptions.Exit(130) from None


def _fail(message: str) -> None:
    say(f"inrcodec: {message}", err=True)
    tell(message)
    raise click.exceptions.Exit(1)


def only_notices() -> None:
    """Silence the warnings of libraries, and print a Notice as one line."""

    def show(message: Warning | str, *rest: Any) -> None:
        say(f"inrcodec: {message}", err=True)

    warnings.simplefilter("ignore")
    warnings.simplefilter("always", Notice)
    warnings.showwarning = show  # type: ignore[assignment]
