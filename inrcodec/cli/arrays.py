"""What the commands do with several arrays in one file: .npz, and .linr files that hold such."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InrcodecError, UnsupportedError, naming
from ..limits import Limits
from ..options import Options
from ..storage import check_output, reason
from .common import coded, decoded, limits_of, options_of, report_coded, shortened, tell_verified, write_as, write_linr
from .output import say
from .progress import ProgressLine
from .signals import interruptible, on_terminal
from .tensors import spelled

if TYPE_CHECKING:
    from ..bundle.arrays import Decoded

OF_OTHERS = ("sample_rate", "bit_depth", "voxels", "lossy")  # options of encode that are for other files


def read(path: Path, limits: Limits) -> Decoded:
    """Read a .npz file. Raises InrcodecError, naming the file."""
    from ..bundle.arrays import Decoded
    from ..files import npz

    try:
        return Decoded(*npz.read_arrays(path, limits))
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def encode(input: Path, target: Path, plot: Path | None, switches: Mapping[str, Any], given: dict[str, Any]) -> None:
    """Encode a .npz file. switches: force, no_verify, quiet, stamp; given: the other options. Raises InrcodecError; click.UsageError."""
    from ..bundle import arrays as bundles

    limits = limits_of(given)
    asked = {name: value for name, value in given.items() if value is not None and name not in ("max_samples", "max_memory")}
    kind = asked.pop("kind", "auto")
    if kind != "auto" or plot or any(name in asked for name in OF_OTHERS):
        names = "--kind, --sample-rate, --bit-depth, --voxels, --lossy and --plot"
        raise click.UsageError(f"{input} holds several arrays; {names} are for other files")
    quiet = switches["quiet"]
    line = ProgressLine(not quiet and on_terminal())
    with interruptible("; the work is given up") as stop:
        options = options_of(progress=line, stop=stop, verify=not switches["no_verify"], **asked)
        try:
            bundles.check_options(options, spelled)
        except ValueError as fault:
            raise click.UsageError(str(fault)) from None
        started = time.perf_counter()
        found = read(input, limits)
        data = coded(line, input, lambda: bundles.encode(found, options))
    write_linr(target, data, switches, input)
    found_in_file = bundles.info(data, Options(threads=1))
    report_coded(input, target, found_in_file, time.perf_counter() - started, arrays=len(found.items))
    if not quiet:
        raw, seconds = sum(item.nbytes for item in found.items.values()), time.perf_counter() - started
        say(f"{target}: {_count(found.items)}, {raw} → {len(data)} bytes ({100 * len(data) / max(1, raw):.1f} %), {seconds:.1f} s")


def _count(arrays: Any) -> str:
    return f"{len(arrays)} array{'' if len(arrays) == 1 else 's'}"


def decode(input: Path, output: Path, data: bytes, force: bool, given: Mapping[str, Any]) -> None:
    """Write all arrays of a bundle to a .npz file. Raises InrcodecError."""
    from ..bundle import arrays as bundles
    from ..files import npz

    if not npz.is_npz(output):
        with naming(input):
            found = [about["name"] for about in bundles.info(data, Options(threads=1))["arrays"]]
        names = f": {shortened(found)}" if found else ""
        raise UnsupportedError(f"{input}: holds {_count(found)}{names}; decode it to .npz, or name one with --array")
    check_output(output, force, input)
    with naming(input):
        arrays = decoded(lambda options: bundles.decode(data, options), **given)
    write_as(output, lambda path: npz.write_arrays(path, arrays.items, arrays.metadata), force, input)


def one(input: Path, data: bytes, name: str, given: Mapping[str, Any]) -> bytes | None:
    """The .linr file of one array of a bundle; None if it is of a type that no signal has. Raises InrcodecError."""
    from .. import bundle
    from ..bundle import arrays as bundles

    with naming(input):
        if not bundle.holds_arrays(data):
            raise UnsupportedError("it does not hold several arrays; --array is for files that do")
        return bundles.stream(data, name, Options(threads=1, max_samples=given["max_samples"], max_memory=given["max_memory"] or 0))


def decode_typed(input: Path, output: Path, data: bytes, name: str, switches: Mapping[str, Any]) -> None:
    """Write one array of a type that no signal has to a .npy file. switches: force, and options of `decoded`. Raises InrcodecError."""
    from ..bundle import arrays as bundles
    from ..files import npy

    given = {key: value for key, value in switches.items() if key != "force"}
    with naming(input):
        item = decoded(lambda options: bundles.decode(data, options, [name]), **given).items[name]
        if output.suffix.lower() != ".npy":
            raise UnsupportedError(f"array {name} is of type {item.dtype} and shape {item.own_shape}, which only .npy and .npz can hold")
    content = npy.pack(item.array(), item.signal.metadata if item.signal else {})
    write_as(output, lambda path: _write(path, content), switches["force"], input)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def verify(input: Path, original: Path | None, data: bytes, given: dict[str, Any]) -> None:
    """Decode a bundle and check its digest, or compare it with a .npz file. Raises InrcodecError."""
    from ..bundle import arrays as bundles

    with naming(input):
        found = decoded(lambda options: bundles.decode(data, options), **given)
    tell_verified(input, original, found, _count(found.items), lambda path: read(path, limits_of(given)), _difference)


def _difference(a: Decoded, b: Decoded) -> str:
    """The first thing in which two sets of arrays differ."""
    if names := sorted(a.items.keys() ^ b.items.keys()):
        return f"names ({shortened(names)})"
    if wrong := [name for name, item in a.items.items() if not item.equals(b.items[name])]:
        return f"{len(wrong)} of {len(a.items)} arrays ({shortened(wrong)})"
    return "the order of arrays" if list(a.items) != list(b.items) else "metadata, not in arrays"
