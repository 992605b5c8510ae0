"""Compares what differently compiled kernels write and read: `python -m bench.targets`.

Each way to compile is a process of its own with an empty cache. It encodes and decodes the signals of bench.signals, decodes all
conformance vectors, and renders their views. Files, samples and what is said of faulty vectors must be those of the first way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import inrcodec
from inrcodec.kernels import events

from .arm.worker import shown_by_package, view_names, views
from .signals import digest, signals

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "formats" / "vectors"
WAYS = {
    "as usual": "",
    "for every x86-64 or ARM64 processor": "NUMBA_CPU_NAME=generic",
    "no vectorization": "NUMBA_LOOP_VECTORIZE=0 NUMBA_SLP_VECTORIZE=0",
    "more vectorization": "NUMBA_SLP_VECTORIZE=1",
    "little optimization": "NUMBA_OPT=1",
    "indices checked": "NUMBA_BOUNDSCHECK=1",
    "Numba asked not to compile": "NUMBA_DISABLE_JIT=1",
}
HEADS = ["kernels compiled", "settings", "files the same", "samples the same", "vectors the same", "vectors as in the manifest"]
Found = dict[str, dict[str, str]]


def work() -> Found:
    """Encode and decode everything: digests of files, of samples, and of vectors or what is said of them."""
    found: Found = {"files": {}, "samples": {}, "vectors": {}}
    for name, signal, efforts in signals():
        for effort in efforts:
            data = inrcodec.encode(signal, effort=effort, threads=2, verify=False)
            key = f"{name}, effort {effort}"
            found["files"][key] = digest(data)
            found["samples"][key] = digest(inrcodec.decode(data, threads=2).samples)
            if found["samples"][key] != digest(signal.samples):
                raise SystemExit(f"{key}: it did not come back")
    for path in sorted(VECTORS.glob("*/*.linr")):
        try:
            found["vectors"][path.relative_to(VECTORS).as_posix()] = digest(inrcodec.decode(path.read_bytes(), threads=2).samples)
        except inrcodec.InrcodecError as fault:
            found["vectors"][path.relative_to(VECTORS).as_posix()] = str(fault)
    found["vectors"].update(views(shown_by_package, cut=True))
    return found


def worker() -> None:
    """The work in this process, and what it found as JSON. It fails if no kernel was compiled, since nothing was compared then."""
    compiled = []
    events.on_first_compile(lambda: compiled.append(True))
    found = work()
    if not compiled:
        raise SystemExit("kernels came from a cache")
    json.dump(found, sys.stdout)


def run(settings: str) -> Found:
    """What a new process finds whose kernels are compiled by these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= dict(setting.split("=") for setting in settings.split())
    with tempfile.TemporaryDirectory() as cache:
        environment["NUMBA_CACHE_DIR"] = cache
        command = [sys.executable, "-m", "bench.targets", "--worker"]
        done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: Found = json.loads(done.stdout)
    return found


def share(found: dict[str, str], expected: dict[str, str]) -> str:
    """How many of those expected were found, as "7 of 8"; the others are named on standard error."""
    wrong = [name for name, value in expected.items() if found.get(name) != value]
    for name in wrong:
        print(f"{name}: {found.get(name)}, not {expected[name]}", file=sys.stderr)
    return f"{len(expected) - len(wrong)} of {len(expected)}"


def main() -> None:
    """Compare all ways to compile with the first."""
    from .common import save, table, tell

    kept = json.loads((VECTORS / "manifest.json").read_text("utf-8"))
    manifest = {entry["file"]: entry["sha256"] for entry in kept if "sha256" in entry}
    manifest |= {name: view["sha256"] for entry in kept for name, view in view_names(entry).items()}
    rows: list[list[Any]] = []
    first: Found = {}
    for way, settings in WAYS.items():
        found = run(settings)
        first = first or found
        same = [share(found[what], first[what]) for what in ("files", "samples", "vectors")]
        rows.append([way, f"`{settings}`" if settings else "", *same, share(found["vectors"], manifest)])
        tell(" ".join(rows[-1]))
    from llvmlite import binding

    how = f"This processor is {binding.get_host_cpu_name()} to LLVM. Each row is a process that compiles everything it uses; 2 threads."
    what = "Signals are those of bench.signals, and encoded at several efforts. Faulty vectors are the same if the message is the same."
    save("targets", "Kernels compiled in other ways", [f"{how} {what}", table(HEADS, rows)], "numba", "llvmlite")


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        worker()
    else:
        main()
