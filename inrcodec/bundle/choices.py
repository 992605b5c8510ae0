"""What the encoder chooses: which tensors are coded together, and how their elements are cut into streams."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import codec
from ..options import Options
from ..signal import Signal
from ..tensors import BY_NAME, DType, Tensor, Tensors
from . import lossy
from .manifest import BITS, TABLE, Entry, Group
from .streams import Words, field_type, split

SMALL = 4096  # elements: groups with fewer are coded with others of their type, since each stream takes some 120 bytes besides its numbers
SAMPLE = (1 << 16) + 1  # elements on which choices are compared: more than what `hybrid` tries several choices for itself
LARGEST_TABLE = 1 << 16
PICTURE_BITS = 16  # of `hybrid`
MANTISSA = 2  # bits of the mantissa that are modelled with the exponent: their density within an octave is not flat
EFFORTS = ((1 << 20, 4), (1 << 24, 3), (1 << 62, 2))  # elements of a group, and the effort that codes so many at 1 MB/s or more
PLAIN = 1  # effort for what does not compress, and for samples


@dataclass(frozen=True)
class Coded:
    """A group as it is written: its streams, and the tensors that are not what they were, by name."""

    group: Group
    streams: Sequence[bytes]
    decoded: Mapping[str, Tensor] = field(default_factory=dict)


Job = Callable[[Options], Coded]  # codes a group


@dataclass(frozen=True)
class Planned:
    """The groups of a bundle, and its tensors in their order."""

    groups: Sequence[Job]
    entries: Sequence[Entry]


def planned(tensors: Tensors, options: Options) -> Planned:
    """Which tensors make which groups: those of one type and with equal rows, and all small ones of a type."""
    first = _repeats(tensors, options.lossy)
    own = [name for name, tensor in tensors.tensors.items() if tensor.size and first[name] == name]
    not_exact = [name for name in own if options.lossy and lossy.applies(tensors.tensors[name])]
    members: dict[Any, list[str]] = {}
    for name in own:
        tensor = tensors.tensors[name]
        key = ("lossy", name) if name in not_exact else (tensor.dtype, tensor.shape[1:] if len(tensor.shape) > 1 else ())
        members.setdefault(key, []).append(name)
    together: dict[Any, list[str]] = {}
    for key, names in members.items():
        count = sum(tensors.tensors[name].size for name in names)
        together.setdefault(key if key[0] == "lossy" or count >= SMALL else (key[0], ()), []).extend(names)
    order = list(tensors.tensors)
    number_of: dict[str, int] = {}
    jobs: list[Job] = []
    for key, names in together.items():
        names.sort(key=order.index)  # in a group, elements are in the order of the tensors
        number_of |= dict.fromkeys(names, len(jobs))
        jobs.append(_job(key, names, tensors))
    entries = []
    for name, tensor in tensors.tensors.items():
        group = number_of[first[name]] if tensor.size else -1
        same = order.index(first[name]) if tensor.size and first[name] != name else -1
        entries.append(Entry(name, BY_NAME[tensor.dtype], tensor.shape, group, same))
    return Planned(jobs, entries)


def _repeats(tensors: Tensors, lossy: bool) -> dict[str, str]:
    """For each tensor the first one with the same type and elements: itself, if there is none before it.

    The shape does not matter; but if some are to be `lossy`, those of one axis, which stay exact, repeat only one another.
    """
    seen: dict[Any, str] = {}
    found = {}
    for name, tensor in tensors.tensors.items():
        content = np.ascontiguousarray(tensor.bits).reshape(-1)
        key = (
            tensor.dtype,
            tensor.size,
            lossy and len(tensor.shape) < 2,
            hashlib.sha256(content.view(np.uint8).data if tensor.size else b"").digest(),
        )
        found[name] = seen.setdefault(key, name)
    return found


def _job(key: Any, names: Sequence[str], tensors: Tensors) -> Job:
    """The job of a group."""
    if key[0] == "lossy":
        name, tensor = names[0], tensors.tensors[names[0]]

        def quantized(options: Options) -> Coded:
            made = lossy.quantize(tensor, options)
            arrays = [(np.asarray(array), array.shape) for array in made.arrays]
            contents = [best_stream(array, shape, options) for array, shape in arrays]
            return Coded(made.group, contents, {name: made.decoded})

        return quantized
    dtype, tail = BY_NAME[key[0]], key[1]

    def exact(options: Options) -> Coded:
        words = np.concatenate([np.ascontiguousarray(tensors.tensors[name].bits).reshape(-1) for name in names])
        return best_exact(words, dtype, tail, options)

    return exact


# --- exact groups -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """A way to code elements: fields of so many bits, or a table (no fields); and how many elements a row of the streams has."""

    fields: tuple[int, ...]
    columns: int


def cuts(words: Words, dtype: DType, tail: Sequence[int]) -> list[Cut]:
    """The cuts to compare, the likeliest first. tail: the axes but the first, which all tensors of the group share; () for a mixture."""
    rows = math.prod(tail) if tail else len(words)
    inner = math.prod(tail[1:])
    columns = [rows, *([inner] if len(tail) > 1 and 1 < inner < rows else [])]  # such as all weights of a filter, or those of one channel
    found = []
    if dtype.mantissa:
        most = min(PICTURE_BITS, dtype.width - 1)
        top = min(dtype.exponent + min(MANTISSA, dtype.mantissa), most)
        found += [Cut(_fields(dtype, top), width) for width in columns]
        if top < most and _repeats_bits(sample_of(words, rows), dtype, top):
            found.append(Cut(_fields(dtype, most), rows))
    found.append(Cut((dtype.width,), rows))
    if _few(words):
        found.append(Cut((), rows))
    return found


def _fields(dtype: DType, top: int) -> tuple[int, ...]:
    """Sign, `top` bits of exponent and mantissa, and the other bits of the mantissa."""
    rest = dtype.width - 1 - top
    return (1, top, rest) if rest else (1, top)


def _few(words: Words) -> bool:
    """Whether elements have so few different values that a table may pay."""
    most = min(LARGEST_TABLE, len(words) // 4)
    return len(np.unique(words[:: -(-len(words) // SAMPLE)])) <= most and len(np.unique(words)) <= most


def _repeats_bits(words: Words, dtype: DType, top: int) -> bool:
    """Whether the next bits of the mantissa have less entropy than they have places, given the `top` bits: then more bits are modelled."""
    more = min(4, dtype.width - 1 - top)
    magnitudes = words & words.dtype.type((1 << (dtype.width - 1)) - 1)
    parts = [np.unique(magnitudes >> words.dtype.type(dtype.width - 1 - bits), return_counts=True)[1] for bits in (top, top + more)]
    # what is missing in the entropy of a sample, by Miller and Madow
    given, joint = (-float(n @ np.log2(n / len(words))) / len(words) + (len(n) - 1) / (2 * len(words) * math.log(2)) for n in parts)
    return joint - given < more - 0.1


def best_exact(words: Words, dtype: DType, tail: Sequence[int], options: Options) -> Coded:
    """Elements of one type by the cut that is smallest on a sample of them."""
    limited = replace(options, effort=effort_for(len(words), options.effort))
    wanted = cuts(words, dtype, tail)
    sizes = [_size(sample_of(words, cut.columns), cut, limited) for cut in wanted] if len(wanted) > 1 else [0]
    return code(words, dtype, wanted[int(np.argmin(sizes))], limited)


def effort_for(count: int, effort: int) -> int:
    """The effort for so many elements: up to the default, less for many; above it, what is asked for."""
    return effort if effort > EFFORTS[0][1] else min(effort, next(fast for most, fast in EFFORTS if count <= most))


def _size(words: Words, cut: Cut, options: Options) -> float:
    """About how many bytes elements take. The sign is the same in all cuts, and taken for a bit."""
    quick = replace(options, effort=PLAIN)
    shape = _shape(len(words), cut.columns)
    if not cut.fields:
        table, index = _table(words)
        return len(best_stream(index, shape, quick)) + table.nbytes
    parts = split(words, cut.fields)
    if len(parts) == 1:
        return len(best_stream(parts[0], shape, quick))
    return len(words) / 8 + len(best_stream(parts[1], shape, quick)) + sum(len(stream(part, shape, "stored", quick)) for part in parts[2:])


def _table(words: Words) -> tuple[Words, Words]:
    """The values that occur, and the number of each element's."""
    table, index = np.unique(words, return_inverse=True)
    return table, index.reshape(-1).astype(field_type(max(1, (len(table) - 1).bit_length())))


def sample_of(words: Words, columns: int) -> Words:
    """Some whole rows from the middle, if there are many elements."""
    if len(words) <= SAMPLE:
        return words
    if columns > SAMPLE:
        start = (len(words) - SAMPLE) // 2
        return words[start : start + SAMPLE]
    rows, taken = len(words) // columns, -(-SAMPLE // columns)
    start = max(0, rows - taken) // 2
    return words[start * columns : (start + taken) * columns]


def code(words: Words, dtype: DType, cut: Cut, options: Options) -> Coded:
    """Elements coded in this way."""
    shape = _shape(len(words), cut.columns)
    if not cut.fields:
        table, index = _table(words)
        return Coded(Group(dtype, TABLE), [best_stream(table, (len(table),), options), best_stream(index, shape, options)])
    contents = []
    for number, part in enumerate(split(words, cut.fields)):
        modelled = len(cut.fields) == 1 or number == 1 or _pays(part, shape, cut.fields[number], options)
        contents.append(best_stream(part, shape, options) if modelled else stream(part, shape, "stored", replace(options, effort=PLAIN)))
    return Coded(Group(dtype, BITS, cut.fields), contents)


def _shape(count: int, columns: int) -> tuple[int, ...]:
    return (count // columns, columns) if count % columns == 0 else (1, count)


def _pays(part: Words, shape: tuple[int, ...], bits: int, options: Options) -> bool:
    """Whether signs, or the low bits of mantissas, are worth more than to be packed, by a sample of them."""
    sample = sample_of(part, shape[1])
    if bits > PICTURE_BITS:
        return len(stream(sample, _shape(len(sample), shape[1]), "stored", replace(options, effort=PLAIN))) < 0.98 * bits * len(sample) / 8
    quick = stream(sample, _shape(len(sample), shape[1]), "hybrid", replace(options, effort=PLAIN)) if len(sample) > 1 else b""
    return 0 < len(quick) < 0.99 * bits * len(sample) / 8


def best_stream(array: npt.NDArray[Any], shape: tuple[int, ...], options: Options) -> bytes:
    """An array as the smallest .linr file: profile stored, or hybrid if it is one of two axes and up to 16 bits."""
    found = [stream(array, shape, "stored", options)]
    if len(shape) == 2 and array.size > 1:
        low, high = int(array.min()), int(array.max())
        if low < high < low + (1 << PICTURE_BITS):
            found.append(stream(array, shape, "hybrid", options))
    return min(found, key=len)


def stream(array: npt.NDArray[Any], shape: tuple[int, ...], profile: str, options: Options) -> bytes:
    """An array as a .linr file."""
    own = replace(options, profile=profile, lossy=False, weights=None, bits=0, verify=False)
    return codec.encode(Signal(np.ascontiguousarray(array).reshape(shape), "array"), own)
