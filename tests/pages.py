"""Runs the examples of a page of documentation from top to bottom, as a reader would: Python blocks and command lines, in one folder.

    python -m tests.pages PAGE…                     writes anew the outputs that are shown and differ from those that come
    python -m tests.pages PAGE… --all               writes all outputs anew, also where only times differ
    python -m tests.pages PAGE… --keep FOLDER       also keeps the files that the page makes

- A `python` block runs in the namespace of those before it. A `text` block right below it is what it prints.
- In a `console` block, lines that begin with `$ inrcodec` are run by the command line in this process; below each is what it prints.
- Times are not compared: "3.2 s", "1.4 × real time". `<!-- numbers vary -->` above a block: none of its numbers are compared.
- `…` in an output that is shown stands for anything.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

BLOCK = re.compile(r"^(?P<vary><!-- numbers vary -->\n+)?```(?P<language>\w+)\n(?P<body>.*?)^```$", re.M | re.S)
COMMAND, CONTINUED = "$ ", "> "
NOT_RUN = ("pip ", "make ")
NUMBER = re.compile(r"(?<!\w)[-+−]?\d[\d.,]*(?:e[-+]?\d+)?")
TIME = re.compile(r"\d+(?:\.\d+)? ?(?=(?:s|ms|min|h|× real time)\b)")


@dataclass
class Step:
    """A Python block or a command, and what the page shows of its output."""

    code: str
    command: bool
    line: int  # in the page, from 1
    shown: str | None = None  # None: nothing
    place: tuple[int, int] = (0, 0)  # of what is shown, in the text of the page
    numbers_vary: bool = False


@dataclass
class Page:
    """A page, and its steps from top to bottom."""

    path: Path
    text: str = ""
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = self.path.read_text(encoding="utf-8")
        end = 0
        for block in BLOCK.finditer(self.text):
            language, line = block["language"], self.text.count("\n", 0, block.start("body")) + 1
            vary = block["vary"] is not None
            if language == "python":
                self.steps.append(Step(block["body"], False, line))
            elif language == "console":
                self.steps += self._commands(block, line, vary)
            elif language == "text" and self.steps and not self.steps[-1].command and not self.text[end : block.start()].strip():
                last = self.steps[-1]
                last.shown, last.place, last.numbers_vary = block["body"], block.span("body"), vary
            end = block.end()

    @staticmethod
    def _commands(block: re.Match[str], line: int, vary: bool) -> Iterator[Step]:
        """The commands of a console block, with what is shown below each."""
        place, step = block.start("body"), None
        for number, text in enumerate(block["body"].splitlines(keepends=True)):
            after = place + len(text)
            if text.startswith(COMMAND):
                if step is not None:
                    yield step
                step = Step(text.removeprefix(COMMAND).strip(), True, line + number, "", (after, after), vary)
            elif step is not None and text.startswith(CONTINUED) and step.shown == "":
                step.code = step.code.removesuffix("\\") + text.removeprefix(CONTINUED).strip()
                step.place = (after, after)
            elif step is not None:
                step.shown, step.place = (step.shown or "") + text, (step.place[0], after)
            place = after
        if step is not None:
            yield step


def alike(step: Step, came: str) -> bool:
    """Whether an output that came is the one that is shown."""

    def plain(text: str) -> str:
        text = "\n".join(" ".join(line.split()) for line in text.strip().replace("\\", "/").splitlines())  # paths of Windows
        return NUMBER.sub("#", text) if step.numbers_vary else TIME.sub("# ", text)

    pattern = re.escape(plain(step.shown or "")).replace("…", ".*?")
    return re.fullmatch(pattern, plain(came), re.S) is not None


def outputs(page: Page) -> Iterator[tuple[Step, str]]:
    """Run the page in the current folder: each step with what it printed. Raises what a step raises, and AssertionError if a command
    ends with another status than 0, or 1 where the page shows the line of a fault."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for step in page.steps:
        where = f"{page.path.name}, line {step.line}"
        if step.command and step.code.startswith(NOT_RUN):
            continue
        if step.command:
            yield step, command(step.code, where)
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            exec(compile(step.code, where, "exec"), names)
        yield step, printed.getvalue()


def command(line: str, where: str) -> str:
    """What `inrcodec …` prints, on both outputs. Raises AssertionError for another program, for wrong usage, and for a crash."""
    from inrcodec.cli import main

    program, *arguments = shlex.split(line)
    assert program == "inrcodec", f"{where}: {program} cannot be run"
    with warnings.catch_warnings():
        result = CliRunner().invoke(main, arguments)
    crashed = result.exception is not None and not isinstance(result.exception, SystemExit)
    assert not crashed, f"{where}: {result.exception!r}"
    assert result.exit_code in (0, 1), f"{where}: status {result.exit_code}: {result.output}"
    assert result.exit_code == 0 or "inrcodec: " in result.output, f"{where}: {result.output}"
    return result.output


def write(page: Page, everything: bool) -> None:
    """Run a page, and put the outputs that came in the place of those that differ, or of all."""
    text = page.text
    for step, came in reversed(list(outputs(page))):
        if step.shown is not None and (everything or not alike(step, came)):
            shown = "\n".join(line.rstrip() for line in came.strip("\n").replace(os.getcwd(), "…").splitlines())
            text = text[: step.place[0]] + shown + "\n" * bool(shown) + text[step.place[1] :]
    page.path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Parse the command line, and write pages anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--all", action="store_true", help="write all outputs anew")
    parser.add_argument("--keep", type=Path, help="an empty or new folder for the files that the pages make")
    arguments = parser.parse_args()
    for path in arguments.pages:
        page = Page(path.resolve())
        with contextlib.ExitStack() as stack:
            folder = arguments.keep.resolve() if arguments.keep else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="r")))
            folder.mkdir(parents=True, exist_ok=True)
            before = Path.cwd()
            stack.callback(os.chdir, before)
            os.chdir(folder)
            write(page, arguments.all)


if __name__ == "__main__":
    main()
