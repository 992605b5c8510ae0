"""The page: what the templates are filled with, and the file."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..compare.result import LATTICE, PLAIN, UNSURE, Comparison, is_ours
from ..storage import replace_bytes
from . import words
from .charts import Chart, charts
from .chosen import Choice, chosen
from .totals import Totals, gain, totals
from .verdict import cost, verdict

TITLES = {LATTICE: "Pictures with a hidden lattice", PLAIN: "Pictures without a lattice", UNSURE: "Pictures, lattice not known"}
NAMED = 12  # files that are named where many share a fault


@dataclass(frozen=True)
class Section:
    """A group as the page shows it."""

    anchor: str
    title: str
    table: Totals
    charts: list[Chart]
    fronts: tuple[set[str], set[str]]
    sentence: str


@dataclass(frozen=True)
class Fault:
    """Why a codec gave nothing, and of which files; more: how many that are not named."""

    codec: str
    reason: str
    count: int
    named: list[str]
    more: int


def page(comparison: Comparison, choice: Choice | None = None) -> str:
    """A comparison as an HTML page that needs no other file, and no network.

    choice: a picture to show, with the map of where its bits go and its bit-planes.
    """
    tables = totals(comparison)
    sections = [
        Section(f"group-{i}", title(table.group), table, charts(table) if len(table.rows) > 1 else [], table.fronts(), cost(table))
        for i, table in enumerate(tables)
    ]
    style, script = _asset("page.css"), _asset("page.js")
    ours = {table.group: table.ours for table in tables}
    codecs = comparison.codecs()
    return (
        _environment()
        .get_template("page.html")
        .render(
            comparison=comparison,
            verdict=verdict([table.summary for table in tables]) if tables else "Nothing was measured.",
            sections=sections,
            codecs=codecs,
            first=max(tables, key=lambda table: table.summary.total).ours if tables else "",
            rows=[(file, [file.of(codec) for codec in codecs], gain(file, ours[file.group])) for file in comparison.files],
            faults=faults(comparison),
            chosen=None if choice is None else chosen(choice),
            raw=sum(file.raw for file in comparison.files),
            version=__version__,
            style=style,
            script=script,
            policy=policy(style, script),
        )
    )


def write(path: Path | str, comparison: Comparison, choice: Choice | None = None, force: bool = False) -> None:
    """Write the page of a comparison into a file.

    path: of the file; choice: see `page`; force: whether the file may be there already, and is replaced.

    Raises:
        InrcodecError: the file is there already, or cannot be written.
    """
    replace_bytes(Path(path), page(comparison, choice).encode("utf-8"), force)


def title(group: str) -> str:
    """A group's name as a heading."""
    return TITLES.get(group, group[:1].upper() + group[1:])


def policy(style: str, script: str) -> str:
    """A Content-Security-Policy that lets in this style sheet, this script, and pictures of the page itself; all else is forbidden."""
    return (
        f"default-src 'none'; script-src {_hashed(script)}; style-src {_hashed(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def faults(comparison: Comparison) -> list[Fault]:
    """Why codecs gave nothing, a reason once for all its files; those of the most files first, inrcodec's before others."""
    paths: Mapping[tuple[str, str], list[str]] = defaultdict(list)
    for file in comparison.files:
        for codec, reason in file.faults.items():
            paths[codec, reason].append(file.path)
    found = [Fault(codec, reason, len(named), named[:NAMED], max(len(named) - NAMED, 0)) for (codec, reason), named in paths.items()]
    return sorted(found, key=lambda fault: (not is_ours(fault.codec), -fault.count, fault.codec))


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _asset(name: str) -> str:
    """A file beside the templates; its lines end with a line feed, as those of a page do when a browser hashes them."""
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("inrcodec.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finished,
    )
    environment.filters.update(
        number=words.number,
        significant=words.significant,
        size=words.size,
        percent=words.percent,
        files=words.files,
        counted=words.counted,
        date=words.date,
    )
    environment.tests["ours"] = is_ours
    return environment


def _finished(value: Any) -> Any:
    """What an expression of a template becomes: texts with what nobody sees as escapes. Markup is of the templates alone."""
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
