"""The version is the same wherever it is written."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import inrcodec

ROOT = Path(__file__).parent.parent


def test_installed_version_is_the_package_s() -> None:
    """After a change of the version an editable install has to be made again."""
    assert importlib.metadata.version("inrcodec") == inrcodec.__version__


def test_changelog_and_citation_name_the_version() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    cited = re.search(r'^version: "?([^"\n]+)', (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert newest is not None
    assert cited is not None
    assert newest[1] == cited[1] == inrcodec.__version__
