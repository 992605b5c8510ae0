"""What the commands do with checkpoints, and with .linr files that hold tensors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InrcodecError, UnsupportedError, naming
from ..options import Options
from ..storage import check_output, reason
from .common import (
    MOST_LINES,
    coded,
    decoded,
    limits_of,
    options_of,
    report_coded,
    shortened,
    tell_verified,
    write_as,
    write_linr,
)
from .output import say
from .progress import ProgressLine
from .signals import interruptible, on_terminal

if TYPE_CHECKING:
    from ..tensors import Tensors

OF_OTHERS = ("sample_rate", "bit_depth", "voxels")  # options of encode that are for .npy, and for meshes


def spelled(name: str) -> str:
    """An option as the command line has it."""
    return "--no-payload" if name == "payload" else f"--{name.replace('_', '-')}"


def read(path: Path, limits: Any) -> Tensors:
    """Read a checkpoint. Raises InrcodecError, naming the file."""
    from .. import files

    try:
        return files.read_tensors(path, limits)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def encode(input: Path, target: Path, plot: Path | None, switches: Mapping[str, Any], given: dict[str, Any]) -> None:
    """Encode a checkpoint. switches: force, no_verify, quiet, stamp; given: the other options. Raises InrcodecError; click.UsageError."""
    from .. import bundle

    limits = limits_of(given)
    asked = {name: value for name, value in given.items() if value is not None and name not in ("max_samples", "max_memory")}
    if asked.pop("kind", "auto") != "auto" or plot or any(name in asked for name in OF_OTHERS):
        raise click.UsageError(f"{input} holds tensors; --kind, --sample-rate, --bit-depth, --voxels and --plot are for other files")
    quiet = switches["quiet"]
    line = ProgressLine(not quiet and on_terminal())
    with interruptible("; the work is given up") as stop:
        options = options_of(progress=line, stop=stop, verify=not switches["no_verify"], **asked)
        try:
            options.check_tensors(spelled)
        except ValueError as fault:
            raise click.UsageError(str(fault)) from None
        started = time.perf_counter()
        tensors = read(input, limits)
        data = coded(line, input, lambda: bundle.encode(tensors, options))
    write_linr(target, data, switches, input)
    found = bundle.info(data, Options(threads=1))
    report_coded(input, target, found, time.perf_counter() - started, tensors=len(tensors.tensors))
    if quiet:
        return
    raw, seconds = max(1, tensors.nbytes), time.perf_counter() - started
    share = f"{100 * len(data) / raw:.1f} %, {found['bits_per_weight']:.3f} bits per weight"
    say(f"{target}: {len(tensors.tensors)} tensors, {tensors.nbytes} → {len(data)} bytes ({share}), {seconds:.1f} s")
    _tell_lossy(found)


def _tell_lossy(found: Mapping[str, Any]) -> None:
    """Print the signal-to-noise ratio of each tensor that is not exact."""
    from ..facts import loss  # it imports the codec, which a preview does without

    if found["lossless"]:
        return
    lossy = [(about["name"], about["lossy"]) for about in found["tensors"] if "lossy" in about]
    for name, about in lossy[:MOST_LINES]:
        say(f"  {name}: {loss(about)}")
    if len(lossy) > MOST_LINES:
        say(f"  and {len(lossy) - MOST_LINES} more; info --json lists all")
    say(f"the file is lossy: {len(lossy)} of {len(found['tensors'])} tensors are not exact")


def decode(input: Path, output: Path, data: bytes, force: bool, given: Mapping[str, Any]) -> None:
    """Write the tensors of a bundle to a file of tensors. Raises InrcodecError."""
    from .. import bundle, files
    from ..files.torchfile import TREE

    files.check_tensors(output)
    check_output(output, force, input)
    with naming(input):
        found = decoded(lambda options: bundle.decode(data, options), **given)
    write_as(output, lambda path: files.write_tensors(path, found), force, input)
    about = bundle.info(data, Options(threads=1, **{name: value for name, value in given.items() if name.startswith("max") and value}))
    if not about["lossless"]:
        count = sum("lossy" in tensor for tensor in about["tensors"])
        say(f"inrcodec: {output}: {count} of {len(about['tensors'])} tensors are not exact: the file was encoded with --lossy", err=True)
    kept = {".safetensors": "safetensors/"}.get(output.suffix.lower(), TREE)
    if lost := sorted(key for key in found.metadata if not key.startswith(kept)):
        say(f"inrcodec: {output}: this format does not keep exactly: {shortened(lost)}", err=True)


def refuse(data: bytes, asked: Mapping[str, bool]) -> None:
    """Raise UnsupportedError if options that are for signals are given for a bundle. asked: by name, whether an option is given."""
    from .. import bundle

    names = [name for name, is_given in asked.items() if is_given]
    if names and bundle.is_bundle(data):
        held = "several arrays" if bundle.holds_arrays(data) else "tensors"
        raise UnsupportedError(f"it holds {held}, not a signal; {', '.join(names)} {'is' if len(names) == 1 else 'are'} for signals")


def verify(input: Path, original: Path | None, data: bytes, given: Mapping[str, Any]) -> None:
    """Decode a bundle and check its digest, or compare it with a checkpoint. Raises InrcodecError."""
    from .. import bundle

    with naming(input):
        found = decoded(lambda options: bundle.decode(data, options), **given)
    tell_verified(input, original, found, f"{len(found.tensors)} tensors", lambda path: read(path, limits_of(given)), _difference)


def _difference(a: Tensors, b: Tensors) -> str:
    """The first thing in which two sets of tensors differ."""
    if names := sorted(a.tensors.keys() ^ b.tensors.keys()):
        return f"names ({shortened(names)})"
    wrong = [name for name, tensor in a.tensors.items() if not tensor.equals(b.tensors[name])]
    if wrong:
        return f"{len(wrong)} of {len(a.tensors)} tensors ({shortened(wrong)})"
    if list(a.tensors) != list(b.tensors):
        return "the order of tensors"
    keys = [key for key in sorted(a.metadata.keys() | b.metadata.keys()) if a.metadata.get(key) != b.metadata.get(key)]
    return f"metadata, not in tensors ({shortened(keys)})" if keys else "the order of metadata"
