"""The command: `python -m bench.arm PLACE [--cpu NAME] [--parts standalone,package,files]`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .compare import Found, differences, expectations, file_rows, listing, unexpected, vector_rows
from .place import QEMU_SUITE, Place
from .worker import PARTS, ROOT, VECTORS

RESULTS = Path(__file__).parent.parent / "results"
TITLE = "Another processor architecture"
VECTOR_HEADS = ["decoder", "machine", "decoded as in the manifest", "refused as in the manifest", "the same on both", "digest of all"]
WHO = {"standalone": "standalone", "package": "package, compiled by Numba"}
OF_VECTORS = (
    "What a decoder says of a vector is the same if samples, type, shape, kind, bit depth, rate and metadata are; or, of a vector that it "
    "refuses, the message. The last column is the beginning of one SHA-256 of all that it says."
)
OF_FILES = (
    "The signals of `bench.signals`, encoded by 2 threads. A file is shown by the beginning of its SHA-256; it was decoded on the machine "
    "that made it. That files are the same is found, not promised: an encoder also chooses by floats of NumPy and SciPy."
)
MANIFEST = VECTORS.relative_to(ROOT) / "manifest.json"
TELL_EVERY = 40  # findings


def run(place: Place, part: str, emulated: bool) -> Found:
    """What a worker finds on one of the machines; progress is told on standard error. Raises SystemExit if it does not end well."""
    command = [*place.command(emulated), "-m", "bench.arm.worker", part]
    where = f"{part}, {'emulated' if emulated else 'this machine'}"
    found: Found = {}
    with subprocess.Popen(command, env=place.environment(emulated), cwd=place.source, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            name, what = json.loads(line)
            found[name] = what
            if part == "files" or len(found) % TELL_EVERY == 0:
                print(f"{where}: {len(found)}, {name}", file=sys.stderr, flush=True)
    if process.returncode:
        raise SystemExit(f"{where}: the worker ended with status {process.returncode} after {len(found)} findings")
    return found


def judge(parts: dict[str, tuple[Found, Found]], expected: Found, names: tuple[str, str]) -> list[str]:
    """A line for each finding that differs between the machines, or from the manifest; and for each part in which nothing was found."""
    faults = []
    for part, (here, there) in parts.items():
        lines = differences(here, there, names)
        if part != "files":
            for found, name in zip((here, there), names, strict=True):
                lines += unexpected(found, expected, name)
        elif not here:
            lines.append("nothing was encoded")
        faults += [f"{part}: {line}" for line in lines]
    return faults


def report(parts: dict[str, tuple[Found, Found]], expected: Found, names: tuple[str, str]) -> list[str]:
    """The tables, as Markdown."""
    from ..common import table

    rows = [row for part, found in parts.items() if part != "files" for row in vector_rows(WHO[part], found, expected, names)]
    tables = []
    if rows:
        tables += [f"## Conformance vectors\n\n{OF_VECTORS}", table(VECTOR_HEADS, rows)]
    if "files" in parts:
        tables += [f"## Encoded files\n\n{OF_FILES}", table(["signal", *names, "the same"], file_rows(*parts["files"]))]
    return tables


def heading(place: Place, abouts: tuple[Found, Found]) -> str:
    """Title, command, versions and machines."""
    from ..common import machine

    qemu = subprocess.run([place.qemu, "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
    here, there = abouts
    lines = [f"- {here['machine']}: {here['versions']}; {machine()}, to LLVM {here['processor']}"]
    lines += [f"- {there['machine']}: {there['versions']}; {place.cpu} emulated by qemu-user {qemu}, to LLVM {there['processor']}"]
    return f"# {TITLE}\n\n`python -m bench.arm PLACE --cpu {place.cpu}`\n\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the machines; exit status 1 if they differ. A run of all parts is kept in bench/results."""
    parser = argparse.ArgumentParser(prog="python -m bench.arm", description="Compares 64-bit Arm, emulated, with this machine.")
    parser.add_argument("place", type=Path, help="folder of the emulated system; what is missing there is made, which needs mmdebstrap")
    parser.add_argument("--cpu", default="neoverse-v1", help=f"emulated processor, one that qemu-user of Debian {QEMU_SUITE} knows")
    parser.add_argument("--parts", default=",".join(PARTS), help="which of standalone, package and files to run, separated by commas")
    given = parser.parse_args(arguments)
    chosen = given.parts.split(",")
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"there is no part {unknown[0]}")

    place = Place(given.place.resolve(), given.cpu)
    place.make()
    abouts = (run(place, "about", False), run(place, "about", True))
    names = (abouts[0]["machine"], abouts[1]["machine"])
    if names[0] == names[1]:
        raise SystemExit(f"both machines are {names[0]}: there is nothing to compare")
    expected = expectations(json.loads((place.source / MANIFEST).read_text("utf-8")))
    parts = {part: (run(place, part, False), run(place, part, True)) for part in PARTS if part in chosen}

    faults = judge(parts, expected, names)
    for fault in faults:
        print(fault, file=sys.stderr)
    text = "\n\n".join([heading(place, abouts), *report(parts, expected, names)]) + "\n"
    print(text)
    if set(chosen) == set(PARTS):
        full = "[architectures.tsv](architectures.tsv) has everything that was found, side by side."
        (RESULTS / "architectures.md").write_text(f"{text}\n{full}\n", encoding="utf-8", newline="\n")
        (RESULTS / "architectures.tsv").write_text(listing(parts, names), encoding="utf-8", newline="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
