"""What a `.linr` file says of itself without being decoded, as rows of text: what `inrcodec info` prints and `inrcodec view` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from . import bundle, codec, profiles, stream
from .errors import InrcodecError, naming
from .files import bounds
from .options import Options

Rows = list[tuple[str, str]]  # (name, text) of each
Found = Mapping[str, Any]  # what `of` gives

MOST_NAMES = 20  # of metadata, and of what a bundle holds
MOST_GROUPS = 20  # of the tensors in a bundle


def of(path: Path, options: Options) -> dict[str, Any]:
    """What `inrcodec.info` says of a file, whatever it declares. options: limits on the memory for its metadata matter.

    Raises InrcodecError, naming the file.
    """
    found = _of_bricks(path, options)
    if found is not None:
        return found
    data = bounds.read_linr(path, options.limits)
    with naming(path):
        return bundle.info(data, options) if bundle.is_bundle(data) else codec.info(data, False, options)


def _of_bricks(path: Path, options: Options) -> dict[str, Any] | None:
    """The same of a file that was written brick by brick, which need not fit in memory; None if it is another file, or damaged."""
    try:
        with stream.StreamReader(path, options, 0) as found:
            return found.info() if found.by_bricks else None
    except (InrcodecError, OSError):
        return None


def rows(found: Found) -> Rows:
    """Facts as `inrcodec info` prints them."""
    if "profile" in found:
        return _of_signal(found)
    return [*(_of_arrays(found) if "arrays" in found else _of_tensors(found)), ("digest", f"SHA-256 {found['digest']}")]


def unit(found: Found) -> tuple[str, float]:
    """The unit of a signal's rates, "pixel" or "sample", and how many pixels or samples there are."""
    name = "pixel" if "bits_per_pixel" in found else "sample"
    return name, 8 * found["file_bytes"] / found[f"bits_per_{name}"]


def times(sizes: Sequence[int]) -> str:
    """Sizes of axes in words."""
    return " × ".join(map(str, sizes)) or "scalar"


def loss(about: Mapping[str, Any]) -> str:
    """How a tensor that is not exact was coded, and its signal-to-noise ratio."""
    snr = "no error" if about["snr"] is None else f"{about['snr']:.2f} dB"
    bits = "" if about["weights"] == "ternary" else f" {about['bits']}"
    return f"{about['weights']}{bits}, signal-to-noise ratio {snr}"


def _of_signal(found: Found) -> Rows:
    name, _ = unit(found)
    rate = found[f"bits_per_{name}"]
    told = [
        ("profile", found["profile"] + ("" if found["lossless"] else ", lossy: the network alone, without the samples")),
        ("signal", f"{found['kind']} {times(found['shape'])}, {_bits(found['bit_depth'])} ({found['dtype']})"),
        *([("format", found["format"])] if "format" in found else []),
        *([("sample rate", f"{found['sample_rate']} Hz")] if found["sample_rate"] else []),
        ("size", f"{_share(found)}; {rate:.3f} bits per {name}"),
        *_parts(found),
        ("values", "offset {offset}, step {step}, {0}".format(_bits(found["value_map"]["bits"]), **found["value_map"])),
        *([("floats", _floats(found["float_map"]))] if "float_map" in found else []),
        ("tiles", f"{found['tiles']['count']} of {times(found['tiles']['shape'])}"),
    ]
    told += profiles.named(found["profile"]).tell(found)
    told += _metadata(found)
    if (more := len(found["metadata"]) - MOST_NAMES) > 0:
        told.append(("metadata", f"{more} more"))
    form = ", of the tiles' digests" if "digest_of" in found else ""
    told.append(("digest", f"SHA-256 {found['digest']}{form if len(found['digest']) == 64 else '…, compact file'}"))
    return told


def _of_tensors(found: Found) -> Rows:
    lossy = [about for about in found["tensors"] if "lossy" in about]
    told = [
        ("tensors", f"{len(found['tensors'])}, {found['elements']} elements" + (f"; lossy: {len(lossy)} are not exact" if lossy else "")),
        ("size", f"{_share(found)}; {found['bits_per_weight']:.3f} bits per weight"),
        *_parts(found),
        *((name, f"{row['tensors']} tensors, {row['raw_bytes']} → {row['bytes']} bytes") for name, row in found["dtypes"].items()),
    ]
    for number, group in enumerate(found["groups"][:MOST_GROUPS]):
        cut = f" of {' + '.join(map(str, group['fields']))} bits" if group["fields"] else ""
        rate = f"{group['elements']} elements, {group['bits_per_element']:.3f} bits each"
        told.append((f"group {number}", f"{group['dtype']}, {group['coding']}{cut}: {rate} ({', '.join(group['profiles'])})"))
    if (more := len(found["groups"]) - MOST_GROUPS) > 0:
        told.append(("groups", f"{more} more"))
    for about in found["tensors"][:MOST_NAMES]:
        same = f", the same as {about['same_as']}" if "same_as" in about else ""
        how = f", {loss(about['lossy'])}" if "lossy" in about else ""
        told.append((about["name"], f"{about['dtype']} {times(about['shape'])}{same}{how}"))
    if (more := len(found["tensors"]) - MOST_NAMES) > 0:
        told.append(("tensors", f"{more} more; --json lists all"))
    return [*told, *_metadata(found)]


def _of_arrays(found: Found) -> Rows:
    told = [("arrays", f"{len(found['arrays'])}"), ("size", _share(found)), *_parts(found)]
    for about in found["arrays"][:MOST_NAMES]:
        profile = f", {about['profile']}" if about["profile"] else ""
        told.append((about["name"], f"{about['dtype']} {times(about['shape'])}, {about['raw_bytes']} → {about['bytes']} bytes{profile}"))
    if (more := len(found["arrays"]) - MOST_NAMES) > 0:
        told.append(("arrays", f"{more} more; --json lists all"))
    return [*told, *_metadata(found)]


def _share(found: Found) -> str:
    """The size of a file, and its share of the raw bytes."""
    total, raw = found["file_bytes"], found["raw_bytes"]
    return f"{total} bytes, {100 * total / max(1, raw):.1f} % of {raw}"


def _parts(found: Found) -> Iterator[tuple[str, str]]:
    """Where the bytes of a file go."""
    for name, n in found["bytes"].items():
        yield name, f"{n} bytes, {100 * n / found['file_bytes']:.1f} %"


def _metadata(found: Found) -> Iterator[tuple[str, str]]:
    for key, n in islice(found["metadata"].items(), MOST_NAMES):
        yield f"metadata {key}", f"{n} bytes"


def _bits(n: int) -> str:
    return f"{n} bit{'' if n == 1 else 's'}"


def _floats(found: Mapping[str, Any]) -> str:
    """How integers stand for floats, in words."""
    words = {
        "bits": "patterns of bits, in the order of the numbers",
        "fixed": "n · 2^{exponent}",
        "product": "n · {factor}, rounded",
        "quotient": "n / {factor}, rounded",
        "split": "n · 2^{exponent}, and fine bits up to {digits} digits",
        "narrow": "patterns of bits of {narrower}, in the order of the numbers",
    }
    return words[found["form"]].format(**found)
