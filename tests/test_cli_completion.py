"""Completion in shells, manual pages, and that both are installed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.shell_completion import ShellComplete

from inrcodec import cli
from inrcodec.cli.group import Commands
from tests.support import loaded

ROOT = Path(__file__).parent.parent
SHARE = ROOT / "share"


@pytest.fixture(scope="module")
def manual() -> ModuleType:
    return loaded(ROOT / "docs" / "make_manual.py")


def completed(arguments: list[str], incomplete: str) -> list[tuple[str, str]]:
    """(type, value) of what is offered."""
    shell = ShellComplete(cli.main, {}, "inrcodec", "_INRCODEC_COMPLETE")
    return [(item.type, item.value) for item in shell.get_completions(arguments, incomplete)]


def test_what_is_offered() -> None:
    assert {value for _, value in completed([], "")} >= set(cli.COMMANDS)
    assert completed(["encode"], "--prof") == [("plain", "--profile")]
    assert completed(["encode", "--profile"], "st") == [("plain", "stored")]
    assert completed(["encode"], "phot") == [("file", "phot")]
    assert completed(["encode", "a.png", "-o"], "phot") == [("file", "phot")]
    assert completed(["verify", "a.linr"], "") == [("file", "")]
    assert ("plain", "png") in completed(["decode", "a.linr", "--format"], "p")
    assert all(value.startswith("w") for _, value in completed(["decode", "a.linr", "--format"], "W"))


def test_a_shell_asks_the_program() -> None:
    environment = {**os.environ, "COMP_WORDS": "inrcodec decode --sca", "COMP_CWORD": "2", "_INRCODEC_COMPLETE": "bash_complete"}
    code = "import sys; sys.argv[0] = 'inrcodec'; from inrcodec.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.splitlines() == ["plain,--scale"]


def test_pages_have_every_option(manual: ModuleType) -> None:
    """The texts may change with click, which prints ranges and defaults; `make lint` compares them."""
    pages = {path.name for path in (SHARE / "man" / "man1").iterdir()}
    assert isinstance(cli.main, Commands)
    assert pages == {"inrcodec.1", *(f"inrcodec-{name}.1" for name in cli.COMMANDS)}
    for name in cli.COMMANDS:
        text = (SHARE / "man" / "man1" / f"inrcodec-{name}.1").read_text("utf-8").replace("\\-", "-")
        command = cli.main.commands[name]
        for option in command.params:
            assert not isinstance(option, click.Option) or all(word in text for word in option.opts), (name, option.opts)


def test_text_is_safe_in_a_page(manual: ModuleType) -> None:
    assert manual.escaped(".so a\\b\n'x -y") == "\\&.so a\\eb\n\\&'x \\-y"


def test_scripts_are_those_of_click(manual: ModuleType) -> None:
    made = manual.made()
    for name in manual.COMPLETIONS:
        text = (SHARE / name).read_text("utf-8")
        assert "_INRCODEC_COMPLETE" in text
        assert "_inrcodec_completion" in made[name]


def test_all_of_share_is_installed() -> None:
    """A wheel has what pyproject.toml lists; below the prefix it lies where shells and man look."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["data-files"]
    found = {f"{folder}/{path.name}" for folder, patterns in listed.items() for pattern in patterns for path in ROOT.glob(pattern)}
    assert found == {path.relative_to(ROOT).as_posix() for path in SHARE.rglob("*") if path.is_file()}


def test_help_fits_80_columns() -> None:
    """Examples too, which click does not wrap."""
    from click.testing import CliRunner

    for arguments in ([], *([name] for name in cli.COMMANDS)):
        text = CliRunner().invoke(cli.main, [*arguments, "--help"], terminal_width=80).stdout
        assert [line for line in text.splitlines() if len(line) > 80] == []
