"""Seals: what the conformance vectors and the priors were at a release. What is sealed never changes, and never goes.

    python formats/seals.py                  compare everything that is sealed, and what the vectors decode to, with the seals
    python formats/seals.py --seal X.Y.Z     seal what no seal has yet, for release X.Y.Z

A seal is two lists in seals/. X.Y.Z.sha256 is what `sha256sum` prints of the files, so `cd formats && sha256sum -c seals/X.Y.Z.sha256`
checks it, too. X.Y.Z-answers.sha256 has a digest of what the manifest says of each vector: of the entry without `what`, as JSON with
sorted keys and without spaces.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FORMATS = Path(__file__).resolve().parent
FOLDERS = ("vectors", "bundles", "arrays")
PACKAGE = "inrcodec"  # beside formats/; its priors are a part of the format, too
ENDS = (".sha256", "-answers.sha256")  # of the two lists; the names that end in the second also end in the first

Digests = dict[str, str]  # by the name of a file, as vectors/subset/a.linr


def files_of(formats: Path) -> Digests:
    """The SHA-256 of each vector and each prior, by names that begin in `formats`."""
    paths = {path.relative_to(formats).as_posix(): path for folder in FOLDERS for path in (formats / folder).glob("*/*.linr")}
    priors = (formats.parent / PACKAGE).glob("**/priors/*.prior")
    paths |= {f"../{path.relative_to(formats.parent).as_posix()}": path for path in priors}
    return {name: hashlib.sha256(paths[name].read_bytes()).hexdigest() for name in sorted(paths)}


def answers_of(formats: Path) -> Digests:
    """The SHA-256 of what the manifests say of each vector."""
    found: Digests = {}
    for folder in FOLDERS:
        entries: list[dict[str, Any]] = json.loads((formats / folder / "manifest.json").read_text("utf-8"))
        for entry in entries:
            said = {key: value for key, value in entry.items() if key != "what"}
            text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
            found[f"{folder}/{entry['file']}"] = hashlib.sha256(text.encode("ascii")).hexdigest()
    return found


def read(path: Path) -> Digests:
    """A list. Raises ValueError if a line is none of `sha256sum`."""
    lines = [line.split("  ", 1) for line in path.read_text("ascii").splitlines()]
    if bad := [i for i, line in enumerate(lines, 1) if len(line) != 2 or len(line[0]) != 64]:
        raise ValueError(f"{path.name}, line {bad[0]}: no digest and name")
    return {name: digest for digest, name in lines}


def sealed(formats: Path, end: str) -> Iterator[tuple[str, Digests]]:
    """The lists of all releases that end so, with their names."""
    for path in sorted((formats / "seals").glob(f"*{end}")):
        if end == ENDS[1] or not path.name.endswith(ENDS[1]):
            yield path.name, read(path)


def broken(formats: Path) -> list[str]:
    """A line for each file that is not as its seal says."""
    found = []
    for end, present in zip(ENDS, (files_of(formats), answers_of(formats)), strict=True):
        for seal, digests in sealed(formats, end):
            for name, digest in digests.items():
                if name not in present:
                    found.append(f"seals/{seal}: {name} is gone")
                elif present[name] != digest:
                    what = "what the manifest says of it" if end == ENDS[1] else "it"
                    found.append(f"seals/{seal}: {name}: {what} has changed")
    return found


def seal(formats: Path, release: str) -> int:
    """Seal what no seal has yet. Returns how many files. Raises ValueError: there is nothing, or an answer is missing; FileExistsError."""
    known = {name for _, digests in sealed(formats, ENDS[0]) for name in digests}
    files, answers = files_of(formats), answers_of(formats)
    names = [name for name in files if name not in known]
    if not names:
        raise ValueError("everything has a seal")
    if missing := [name for name in names if name not in answers and name.endswith(".linr")]:
        raise ValueError(f"{missing[0]} is in no manifest")
    (formats / "seals").mkdir(exist_ok=True)
    for end, digests in zip(ENDS, (files, answers), strict=True):
        with (formats / "seals" / f"{release}{end}").open("x", encoding="ascii", newline="\n") as out:
            out.writelines(f"{digests[name]}  {name}\n" for name in names if name in digests)
    return len(names)


def main(arguments: Sequence[str] | None = None, formats: Path = FORMATS) -> int:
    parser = argparse.ArgumentParser(description="Compare sealed conformance vectors and priors with their seals, or seal new ones.")
    parser.add_argument("--seal", metavar="X.Y.Z", help="seal what no seal has yet, for this release")
    release = parser.parse_args(arguments).seal
    try:
        if faults := broken(formats):
            print("\n".join(faults), file=sys.stderr)
            return 1
        if release:
            print(f"{seal(formats, release)} files sealed")
    except (OSError, ValueError) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
