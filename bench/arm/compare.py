"""Compares what two machines found, and puts it in tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from .worker import REFUSED, describe, view_names

Found = dict[str, str]  # what was found, by the name of the vector or file
PREFIX = 16  # hexadecimal digits of a digest that are shown


def expectations(manifest: Sequence[dict[str, Any]]) -> Found:
    """What the manifest says of each vector, and of each view. Of those that must be refused it does not say the message."""
    found = {entry["file"]: REFUSED if entry.get("invalid") or entry.get("lossy") else describe(entry) for entry in manifest}
    return found | {name: view["sha256"] for entry in manifest for name, view in view_names(entry).items()}


def is_expected(found: str | None, expected: str) -> bool:
    """Whether a decoder found what the manifest says; None: it found nothing."""
    return found is not None and (found.startswith(f"{REFUSED}: ") if expected == REFUSED else found == expected)


def unexpected(found: Found, expected: Found, who: str) -> list[str]:
    """A line for each vector of which `who` says something other than the manifest does."""
    wrong = [name for name, value in expected.items() if not is_expected(found.get(name), value)]
    unknown = [name for name in found if name not in expected]
    return [f"{name}: {found.get(name, 'nothing')} on {who}, {expected.get(name, 'nothing')} in the manifest" for name in wrong + unknown]


def differences(here: Found, there: Found, names: tuple[str, str]) -> list[str]:
    """A line for each thing of which the two machines say something different, or only one says something."""
    keys = [*here, *(key for key in there if key not in here)]
    return [
        f"{key}: {here.get(key, 'nothing')} on {names[0]}, {there.get(key, 'nothing')} on {names[1]}"
        for key in keys
        if here.get(key) != there.get(key)
    ]


def digest_of(found: Found) -> str:
    """One SHA-256 of all findings: of the lines "name, tab, finding", sorted."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(map("\t".join, found.items()))).encode()).hexdigest()


def file_rows(here: Found, there: Found) -> list[list[Any]]:
    """A row per file: its name, the beginning of its digest on both machines, whether it is the same."""
    rows: list[list[Any]] = []
    for name in {**here, **there}:
        ours, other = here.get(name, "nothing"), there.get(name, "nothing")
        rows.append([name, f"`{ours[:PREFIX]}`", f"`{other[:PREFIX]}`", "yes" if ours == other else "**no**"])
    return rows


def vector_rows(who: str, found: tuple[Found, Found], expected: Found, names: tuple[str, str]) -> list[list[Any]]:
    """A row per machine: decoder, machine, decoded and refused as in the manifest, the same as on the other, digest of all findings."""
    same = sum(found[0].get(name) == found[1].get(name) for name in expected)
    refused = [name for name, value in expected.items() if value == REFUSED]
    rows: list[list[Any]] = []
    for name, said in zip(names, found, strict=True):
        right = {vector for vector, value in expected.items() if is_expected(said.get(vector), value)}
        counts = [f"{len(right) - len(right.intersection(refused))} of {len(expected) - len(refused)}"]
        counts += [f"{len(right.intersection(refused))} of {len(refused)}", f"{same} of {len(expected)}"]
        rows.append([who, name, *counts, f"`{digest_of(said)[:PREFIX]}`"])
    return rows


def listing(parts: dict[str, tuple[Found, Found]], names: tuple[str, str]) -> str:
    """All findings side by side, separated by tabs: part, name, what the first machine says, what the second says."""
    lines = [["part", "name", *names]]
    for part, (here, there) in parts.items():
        lines += [[part, key, here.get(key, "nothing"), there.get(key, "nothing")] for key in sorted({**here, **there})]
    return "".join("\t".join(line) + "\n" for line in lines)
