"""What a file says of itself, as rows of text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import inrcodec
from inrcodec import facts
from inrcodec.cli import main
from inrcodec.errors import FormatError
from inrcodec.options import Options


def test_floats_of_a_narrower_format_are_described(tmp_path: Path) -> None:
    path = tmp_path / "x.linr"
    narrow = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float16).astype(np.float32)
    path.write_bytes(inrcodec.encode(narrow, effort=1, threads=1))
    found = facts.of(path, Options(threads=1))
    assert found["float_map"]["form"] == "narrow"
    assert ("floats", "patterns of bits of binary16, in the order of the numbers") in facts.rows(found)
    assert CliRunner().invoke(main, ["info", str(path)]).exit_code == 0


def test_faults_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.linr"
    path.write_bytes(b"hello there, this is no .linr file")
    with pytest.raises(FormatError, match=r"x\.linr"):
        facts.of(path, Options(threads=1))
