"""A line for each .linr file: what `info` prints of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .progress import size


class Table:
    """Rows of equal columns: bytes, share of the raw bytes, profile, what is in the file, and its name last, which may be long."""

    def row(self, name: str, about: Mapping[str, Any]) -> str:
        """The line of a file. about: what `info` says of it."""
        lossy = "" if about["lossless"] else ", lossy"
        columns = _columns(about["file_bytes"], about["raw_bytes"], about.get("profile", ""), _held(about) + lossy)
        return f"{columns}  {name}"

    def total(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """The line below all of them."""
        coded, raw = (sum(row[name] for row in rows) for name in ("file_bytes", "raw_bytes"))
        return f"{_columns(coded, raw, '', '')}  {len(rows)} files, {size(coded)} of {size(raw)}"


def _columns(coded: int, raw: int, profile: str, held: str) -> str:
    return f"{coded:>12} {100 * coded / max(1, raw):>6.1f} %  {profile:<7} {held:<34}"


def _held(about: Mapping[str, Any]) -> str:
    """What is in a file, in a few words."""
    if "tensors" in about:
        return f"{len(about['tensors'])} tensors"
    if "arrays" in about:
        return f"{len(about['arrays'])} arrays"
    rate = f" {about['sample_rate']} Hz" if about["sample_rate"] else ""
    return f"{about['kind']} {'×'.join(map(str, about['shape']))} {about['dtype']}{rate}"
