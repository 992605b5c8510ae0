"""Write the manual pages and the shells' completions, from the commands, into share/.

    python docs/make_manual.py            write them
    python docs/make_manual.py --check    fail if a file is not what would be written

An installed package has them below the prefix: see data-files in pyproject.toml.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from inrcodec import __version__
from inrcodec.cli import main as program
from inrcodec.cli.group import Commands
from inrcodec.cli.headings import sections

SHARE = Path(__file__).parent.parent / "share"
NAME = "inrcodec"
VARIABLE = "_INRCODEC_COMPLETE"  # by which a shell asks click
COMPLETIONS: dict[str, type[ShellComplete]] = {
    f"bash-completion/completions/{NAME}": BashComplete,
    f"zsh/site-functions/_{NAME}": ZshComplete,
    f"fish/vendor_completions.d/{NAME}.fish": FishComplete,
}
STATUS = (
    ("0", "Done."),
    ("1", "The data or a file is at fault. A line on standard error names the file and the reason."),
    ("2", "Wrong usage."),
    ("128 + n", "Ended by signal n, as 130 by Ctrl-C."),
)


def escaped(text: str) -> str:
    """Text for roff: backslashes and hyphens as they are, and no line that begins as a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", plain, flags=re.M)


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a command's help; one that begins with \\b keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.rstrip() for line in paragraph.split("\n")]
        if lines[0].strip() == "\b":
            yield "\n".join((".RS 4", ".nf", *map(escaped, lines[1:]), ".fi", ".RE"))
        else:
            yield escaped(" ".join(line.strip() for line in lines))


def page(command: click.Command, ctx: click.Context) -> str:
    """The manual page of a command."""
    title = ctx.command_path.replace(" ", "-")
    short = command.short_help or (command.help or "").partition("\n")[0]
    lines = [
        f'.TH "{title.upper()}" "1" "" "{NAME} {__version__}" "{NAME}"',
        ".SH NAME",
        f"{escaped(title)} \\- {escaped(short.rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fB{escaped(ctx.command_path)}\\fR {escaped(' '.join(command.collect_usage_pieces(ctx)))}",
        ".SH DESCRIPTION",
        "\n.PP\n".join(paragraphs(_with_indents(command.help or ""))),
    ]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None, "it is listed"
            lines += [".TP", f"\\fB{escaped(f'{NAME} {name}')}\\fR", f"{escaped(found.get_short_help_str(200))} See {NAME}\\-{name}(1)."]
    lines.append(".SH OPTIONS")
    found_sections = sections(command, ctx)
    for heading, rows in found_sections.items():
        lines += [f".SS {escaped(heading)}"] if len(found_sections) > 1 else []
        for names, text in rows:
            lines += [".TP", f"\\fB{escaped(names)}\\fR", escaped(" ".join(text.split()))]
    if isinstance(command, Commands):
        lines += ['.SH "FILE TYPES"', "\n.PP\n".join(map(escaped, command.file_types()))]
    lines.append('.SH "EXIT STATUS"')
    for status, text in STATUS:
        lines += [".TP", f"\\fB{status}\\fR", escaped(text)]
    lines += ['.SH "SEE ALSO"', ", ".join(f"{escaped(other)}(1)" for other in titles() if other != title)]
    return "\n".join(lines) + "\n"


def _with_indents(text: str) -> str:
    """Help without the indent that all its lines have, those after the first."""
    first, _, rest = text.partition("\n")
    indents = [len(line) - len(line.lstrip(" ")) for line in rest.split("\n") if line.strip(" ")]
    return "\n".join((first, *(line[min(indents, default=0) :] for line in rest.split("\n"))))


def titles() -> list[str]:
    """The names of all pages."""
    assert isinstance(program, click.Group)
    return [NAME, *(f"{NAME}-{name}" for name in program.list_commands(click.Context(program)))]


def made() -> dict[str, str]:
    """All files: text by path below share/."""
    assert isinstance(program, click.Group)
    settings = {"help_option_names": ["-h", "--help"]}
    top = click.Context(program, info_name=NAME, **settings)  # type: ignore[arg-type]
    found = {f"man/man1/{NAME}.1": page(program, top)}
    for name in program.list_commands(top):
        command = program.get_command(top, name)
        assert command is not None, "it is listed"
        found[f"man/man1/{NAME}-{name}.1"] = page(command, click.Context(command, info_name=name, parent=top))
    for path, kind in COMPLETIONS.items():
        shell = kind(program, {}, NAME, VARIABLE)
        found[path] = (shell.source_template % shell.source_vars()).strip() + "\n"
    return found


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description="Write the manual pages and the shells' completions.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    check = parser.parse_args().check
    wanted = made()
    there = {path.relative_to(SHARE).as_posix(): path.read_text("utf-8") for path in SHARE.rglob("*") if path.is_file()}
    stale = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if check:
        if stale:
            sys.exit(f"share/ is not what the commands say ({', '.join(stale)}); run: python docs/make_manual.py")
        return
    for name in stale:
        path = SHARE / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[name], "utf-8", newline="\n")


if __name__ == "__main__":
    main()
