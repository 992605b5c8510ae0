"""Fuzzes a parser guided by the code that it runs: `python -m bench.fuzz.coverage_guided network --runs 200000 --seed 1`.

It needs atheris (`pip install atheris`), which is not one of the project's packages. Inputs that reach new code are kept and changed
further. An input is the content of a section, or a whole file. Changes are atheris's own ones, and those of fields (see `fields` and
`linr_mutations`). After a change of a file, its lengths and checksums are mended. Anything but a FormatError of one line ends the run, and
the input is left in the current folder.

    header  metadata  index        sections HEAD, meta, TIDX
    network                        section NETW, with its coded integers and sparse codes
    sparse                         sparse codes alone
    picture-plan  sound-plan       section HYBR
    container                      a file up to its sections; salvage's search for sections in damaged files
    file                           a file up to its tiles
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .linr_seeds import Seed

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 4096  # bytes of an input
MEMORY_MB = 4096


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        parse: runs an input; raises FormatError.
        inputs: valid inputs.
        change: an input, changed by what is known of its fields.
    """

    parse: Callable[[bytes], object]
    inputs: Callable[[], Iterator[bytes]]
    change: Callable[[bytes, Random], bytes]


def _section_target(
    type_: bytes, parse: Callable[[bytes, int], object], about: Callable[[Seed], int], wanted: Callable[[bytes], bool] = bool
) -> Target:
    """A target whose input is a section's content behind a byte that says for which signal it is.

    about: this byte for a seed; wanted: which sections to take. A change is one of the fields of a seed's section, or a blind one.
    """
    from .linr_mutations import Draft, blind, change_fields
    from .linr_seeds import seeds_with

    known: dict[bytes, tuple[Seed, int]] = {}
    for seed in seeds_with(type_):
        for i, part in enumerate(seed.parts):
            if part.type == type_ and wanted(part.content) and about(seed) < 256:
                known[bytes([about(seed)]) + part.content] = seed, i
    kept = list(known)

    def change(data: bytes, rng: Random) -> bytes:
        if data not in known:
            if rng.random() < 0.7:
                return data[:1] + blind(data[1:], rng)
            data = rng.choice(kept)
        seed, i = known[data]
        draft = Draft(seed, list(seed.parts))
        change_fields(draft, i, rng)
        return data[:1] + draft.parts[i].content

    return Target(lambda data: parse(data[1:], data[0]) if data else None, lambda: iter(kept), change)


def _network() -> Target:
    """Networks; the byte before one is the place of its signal's sizes, channels and bits among all of the valid ones."""
    from inrcodec import FormatError
    from inrcodec.weights import network

    from .linr_seeds import seeds_with

    def signal_of(seed: Seed) -> tuple[tuple[int, ...], int, int]:
        layout = seed.opened.layout
        return layout.axes, layout.channels, seed.opened.header.value_map.bits

    known = sorted({signal_of(seed) for seed in seeds_with(b"NETW")})[:256]

    def about(seed: Seed) -> int:
        return known.index(signal_of(seed)) if signal_of(seed) in known else 256

    def parse(data: bytes, about: int) -> object:
        """The network; and if it was cut, the parts of it that are whole."""
        signal = known[about % len(known)]
        try:
            written = network.parse(data, *signal)
        except FormatError:
            written = network.parse(data, *signal, cut=True)
        return written.decode() if written.memory < 1 << 27 else None

    return _section_target(b"NETW", parse, about)


def _sparse() -> Target:
    from inrcodec.container import Reader
    from inrcodec.weights import sinr

    from .linr_mutations import blind

    shapes = ((5, 5), (16, 48), (17, 16), (3, 60), (64, 64), (1, 1))

    def parse(data: bytes) -> object:
        """The first byte chooses the shapes of two matrices."""
        about = data[0] if data else 0
        wanted = [shapes[about % 6], shapes[about // 6 % 6]]
        return [sinr.expand(code, 1) for code in sinr.read(Reader(data[1:], "an input"), wanted)]

    def inputs() -> Iterator[bytes]:
        import numpy as np

        for a in range(6):
            for b in range(6):
                codes = []
                for shape in (shapes[a], shapes[b]):
                    vectors, length = sinr.vector_shape(shape)
                    positions = np.tile(np.arange(0, 2 * length, 3), (vectors, 1))[:, : min(length, 6)]
                    codes.append(sinr.Sparse(shape, positions, positions - 9))
                yield bytes([a + 6 * b]) + sinr.write(codes)

    def change(data: bytes, rng: Random) -> bytes:
        """Other counts, or another stream below the compression."""
        import brotli

        for start in range(2, min(len(data), 8)):
            with contextlib.suppress(brotli.error):
                plain: bytes = brotli.decompress(data[start:])
                return data[:start] + bytes(brotli.compress(blind(plain, rng), quality=3))
        return blind(data, rng)

    return Target(parse, inputs, change)


def _file(parse: Callable[[bytes], object]) -> Target:
    """A target whose input is a file: a change is one of `linr_mutations`, or atheris's own one of a section's content."""
    from inrcodec import InrcodecError, compact, container

    from .linr_mutations import case
    from .linr_seeds import seeds

    def change(data: bytes, rng: Random) -> bytes:
        try:
            sections = compact.sections_of(data)
        except InrcodecError:
            sections = []
        if not sections or rng.random() < 0.5:
            return case(rng.getrandbits(40), rng.getrandbits(20)).data
        i = rng.randrange(len(sections))
        content = _atheris().Mutate(sections[i].content, LONGEST) if sections[i].content else rng.randbytes(3)
        sections[i] = container.Section(sections[i].type, bytes(content))
        return container.write(sections)

    return Target(parse, lambda: (seed.data for seed in seeds()), change)


def _atheris() -> Any:
    return import_module("atheris")


def _scan(data: bytes) -> object:
    """Both ways to read a container."""
    from inrcodec import InrcodecError, compact

    found = compact.scan(data, (b"HEAD", b"TILE"))
    try:
        whole = compact.sections_of(data)
    except InrcodecError:
        return None
    if [section for _, section in found.sections] != whole or found.damaged or not found.complete:
        raise AssertionError("scan does not find what read finds")
    return whole


def _index() -> Target:
    from inrcodec import codec
    from inrcodec.container import Reader

    from .linr_seeds import seeds

    header = next(seed.opened.header for seed in seeds() if seed.opened.header.kind == "array")

    def parse(data: bytes, about: int) -> object:
        reader = Reader(data, "an input")
        layout = codec.read_layout(reader, replace(header, shape=(1 << 12,) * (1 + about % 4)))
        return layout, [reader.varint() for _ in range(min(layout.tiles, reader.left))]

    return _section_target(b"TIDX", parse, lambda seed: len(seed.opened.layout.axes) - 1)


def _plan(picture: bool) -> Target:
    """Plans of pictures, with the tables of their sources, or of sounds; the byte before a plan is the number of sources or channels."""
    from inrcodec.profiles.hybrid.pictures import plan as pictures
    from inrcodec.profiles.hybrid.sound import plan as sounds

    def parse(data: bytes, about: int) -> object:
        if not picture:
            return sounds.read(data, about, 32)
        found = pictures.read(data, about, 16)
        return found, [source.expanded() for source in found.sources]

    def about(seed: Seed) -> int:
        layout = seed.opened.layout
        return math.prod(layout.axes[:-2]) * layout.channels if picture else layout.channels

    return _section_target(b"HYBR", parse, about, lambda content: picture == (content[:1] != b"\3"))


def _targets() -> dict[str, Callable[[], Target]]:
    from inrcodec import codec, header, limits

    return {
        "container": lambda: _file(_scan),
        "header": lambda: _section_target(b"HEAD", lambda data, _: header.read_header(data), lambda _: 0),
        "metadata": lambda: _section_target(b"meta", lambda data, _: header.read_metadata(data, limits.Limits()), lambda _: 0),
        "index": _index,
        "network": _network,
        "sparse": _sparse,
        "picture-plan": lambda: _plan(True),
        "sound-plan": lambda: _plan(False),
        "file": lambda: _file(codec.open_bytes),
    }


NAMES = ("container", "header", "metadata", "index", "network", "sparse", "picture-plan", "sound-plan", "file")


def _serve(name: str, options: list[str], folder: Path) -> None:
    """The process that is fuzzed; folder: for the inputs."""
    atheris = _atheris()
    # kernels are compiled from their bytecode, so theirs must stay as it is
    with atheris.instrument_imports(include=["inrcodec"], exclude=["inrcodec.kernels"], enable_loader_override=False):
        import inrcodec.codec
        import inrcodec.profiles.hybrid.pictures.coding
        import inrcodec.profiles.hybrid.sound.coding
        import inrcodec.profiles.inr.coding
        import inrcodec.profiles.stored
        import inrcodec.weights.network  # noqa: F401
    from inrcodec.errors import FormatError

    target = _targets()[name]()
    for i, data in enumerate(target.inputs()):
        (folder / str(i)).write_bytes(data)

    def one(data: bytes) -> None:
        try:
            target.parse(data)
        except FormatError as fault:
            if not str(fault) or "\n" in str(fault):
                raise AssertionError(f"not one line: {fault!r}") from fault

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        rng = Random(seed)
        changed = target.change(data, rng) if rng.random() < 0.6 else bytes(atheris.Mutate(data, longest))
        return changed[:longest]

    atheris.Setup([sys.argv[0], *options, str(folder)], one, custom_mutator=mutate)
    atheris.Fuzz()


STATUS = re.compile(r"#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/.*?exec/s: (\d+) rss: (\d+)Mb")


@dataclass(frozen=True)
class Found:
    """How a run ended: inputs that were run, branches covered and features found by the valid inputs alone and at the end, inputs that
    were kept, the largest size of the process in MB, seconds, and the failure, if there is one."""

    runs: int
    first: tuple[int, int]
    last: tuple[int, int]
    kept: int
    megabytes: int
    seconds: float
    failure: str


def fuzz(name: str, runs: int, seed: int) -> Found:
    """Fuzz a target in a process of its own. Raises RuntimeError if it does not start."""
    with tempfile.TemporaryDirectory() as folder:
        options = [
            f"-runs={runs}",
            f"-seed={seed}",
            f"-max_len={LONGEST}",
            "-timeout=60",
            f"-rss_limit_mb={MEMORY_MB}",
            "-artifact_prefix=fuzz-",
        ]
        command = [sys.executable, "-m", "bench.fuzz.coverage_guided", name, "--serve", folder, *options]
        start = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
        seconds = time.monotonic() - start
    told = [match.groups() for match in STATUS.finditer(done.stderr)]
    if not told:
        raise RuntimeError(f"{name} does not start: {done.stderr[-2000:]}")
    begun = next((t for t in told if t[1] == "INITED"), told[0])
    last = told[-1]
    failure = "" if done.returncode == 0 else _failure(done.stdout + done.stderr)
    return Found(int(last[0]), (int(begun[2]), int(begun[3])), (int(last[2]), int(last[3])), int(last[4]), int(last[6]), seconds, failure)


def _failure(text: str) -> str:
    """What ended a run, from what atheris prints."""
    lines = [line.strip() for line in text.splitlines()]
    exception = next((lines[i + 1] for i, line in enumerate(lines[:-1]) if "Uncaught Python exception" in line), "")
    return next((line for line in reversed(lines) if re.match(r"\w*(Error|Exception)\b", line)), exception) or lines[-1]


def main() -> int:
    """The command line; exit status 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz.coverage_guided", description="Fuzzes parsers, guided by coverage.")
    parser.add_argument("target", choices=("all", *NAMES))
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", type=Path, help="write the table as Markdown")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given, options = parser.parse_known_args()
    if given.serve:
        _serve(given.target, options, given.serve)
        return 0
    rows, failures = [], []
    for name in NAMES if given.target == "all" else (given.target,):
        found = fuzz(name, given.runs, given.seed)
        print(name, found, file=sys.stderr, flush=True)
        rows.append(
            [
                name,
                found.runs,
                *found.first,
                *found.last,
                found.kept,
                found.megabytes,
                round(found.seconds),
                "no" if not found.failure else "yes",
            ]
        )
        failures += [f"- {name}: {found.failure}"] if found.failure else []
    text = _report(rows, failures)
    print(text)
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")
    return int(bool(failures))


def _processor() -> str:
    """Its name. `bench.common` would tell it too, but needs torch."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "processor not known"


def _report(rows: list[list[Any]], failures: list[str]) -> str:
    import platform
    from importlib.metadata import version

    import inrcodec

    heads = ["target", "inputs run", "branches at first", "features at first", "branches", "features", "inputs kept", "MB", "s", "failed"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 2), "---"], *rows]
    names = ", ".join(f"{name} {version(name)}" for name in ("atheris", "numpy", "numba", "brotli"))
    return "\n".join(
        [
            "# Parsers of .linr, fuzzed with guidance by coverage\n",
            f"`python -m bench.fuzz.coverage_guided {' '.join(sys.argv[1:])}`\n",
            f"Python {platform.python_version()}, inrcodec {inrcodec.__version__}, {names}; {_processor()}, {os.cpu_count()} cores\n",
            '"At first": what the valid inputs reach. Branches are counted by atheris in the package\'s Python, not in kernels.\n',
            *("| " + " | ".join(map(str, line)) + " |" for line in lines),
            "\n" + ("\n".join(failures) if failures else "No failures."),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
