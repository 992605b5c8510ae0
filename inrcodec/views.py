"""Renders a file: at another size, with more bits, a part of it, or what its network alone says.

A network of profile `inr` can be asked at any place. With the payload, the samples are known where the file has them; then only bits below
theirs are left to say, and they come from the network, or from smoothness within the cells that the known bits leave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from . import codec, floats, parallel
from .codec import Opened
from .errors import FormatError, UnsupportedError
from .header import LARGEST_SHAPE
from .layout import Box, box_shape
from .limits import Limits
from .options import Options
from .progress import Ticker
from .signal import Signal, type_bits
from .values import Values, from_values, type_range, value_type

Fill = Literal["smooth", "network", "midpoint", "zero"]
PART_PLACES = 1 << 18  # rendered at a time, by one thread
MAX_DEPTH = 32
DEEPER_BYTES = 40  # that a value takes at most while the network gives the bits below its own
PLACE_BYTES = 24  # that a value takes while it is rendered, at most


@dataclass(frozen=True)
class View:
    """What is to be seen of a file.

    Attributes:
        sizes: places along each coordinate axis, over the extent of the signal; empty: those of the file.
        region: which of these places, a slice for each axis; empty: all.
        bit_depth: bits of a sample; 0: those of the file.
        network_only: whether the network alone is asked, although the samples are in the file.
        config: (layers, units) of the network in a supernet that is asked; None: the largest that is there.
        fill: the bits below those of samples that are known: "smooth": see `expand`; "network": what the network says, within the cell that
            the known bits leave; "midpoint" of the cell; "zero".
        sample_rate: of sounds, in place of sizes: so many frames per second; 0: that of the file.

    Raises ValueError if a field has a value that it cannot have.
    """

    sizes: tuple[int, ...] = ()
    region: Box = ()
    bit_depth: int = 0
    network_only: bool = False
    config: tuple[int, int] | None = None
    fill: Fill = "smooth"
    sample_rate: int = 0

    def __post_init__(self) -> None:
        if any(not isinstance(s, slice) or s.step not in (None, 1) for s in self.region):
            raise ValueError(f"region is {self.region!r}; it must be slices without a step")
        if self.fill not in get_args(Fill):
            raise ValueError(f"fill is {self.fill!r}; it can be {', '.join(map(repr, get_args(Fill)))}")
        if self.config is not None and (isinstance(self.config, str) or len(self.config) != 2):
            raise ValueError(f"config is {self.config!r}; it must be (layers, units)")

    @property
    def asks_network(self) -> bool:
        """Whether it is certain that the network is asked."""
        return self.network_only or self.config is not None


def render(data: bytes, view: View, options: Options) -> Signal:
    """What a view shows of a file. If the network is asked, a file serves that was cut, as long as a whole network is left of it.

    See `render_opened`; also raises FormatError if the file is damaged.
    """
    return render_opened(open_for(view, data, options.limits), view, options)


def open_for(view: View, data: bytes, limits: Limits) -> Opened:
    """The file, opened for a view. Raises FormatError; LimitError for its metadata."""
    if view.asks_network:
        return codec.open_cut(data, limits)
    try:
        return codec.open_bytes(data, limits)
    except FormatError as fault:
        if not _has_network(data, limits):
            raise
        raise FormatError(f"{fault}; what is left of its network can be rendered alone (--network-only)") from fault


def _has_network(data: bytes, limits: Limits) -> bool:
    """Whether a network is left of a damaged file."""
    try:
        return bool(codec.open_cut(data, limits).decoder.configurations)
    except FormatError:
        return False


def render_opened(opened: Opened, view: View, options: Options) -> Signal:
    """What a view shows of an opened file.

    options: threads, limits, progress and stop matter.

    Raises:
        FormatError: the file is damaged.
        LimitError: options.limits do not allow it.
        Stopped: options.stop says so.
        UnsupportedError: the file has no network that could be asked, or the view does not fit it.
    """
    header, axes = opened.header, opened.layout.axes
    sizes, box = _places(opened, view)
    extra, known = _extra(opened, view), not asks(opened, view)
    if known and not extra:
        samples = opened.samples(options)[box] if not view.region else opened.decode(box, options)
    elif known:
        samples = _deeper(opened, box, extra, view.fill, options)
    else:
        samples = _network_samples(opened, view, sizes, box, extra, options)
    rate = view.sample_rate or header.sample_rate
    if rate is not None and sizes != axes and not view.sample_rate:
        rate = max(1, round(rate * (sizes[0] - 1) / max(axes[0] - 1, 1)))
    return Signal(samples, header.kind, header.bit_depth + extra, rate, opened.metadata, header.bfloat16)


def asks(opened: Opened, view: View) -> bool:
    """Whether the network is asked for a view, and not the samples. Raises UnsupportedError if the view does not fit the file."""
    return view.asks_network or opened.header.lossy or _sizes(opened, view) != opened.layout.axes


def field(opened: Opened, view: View, options: Options) -> npt.NDArray[np.int64]:
    """How sure the network of values of one bit and one channel is that each is 1: above 0 where it says so, (axes…) int64.

    view: sizes, region and config matter. Raises as `render_opened`.
    """
    sizes, box = _places(opened, view)
    shape = (*box_shape(box), *opened.header.shape[len(box) :])
    ask = opened.decoder.field
    return _asked(opened, view, box, np.dtype(np.int64), options, lambda part, which, tick: ask(sizes, part, which, tick)).reshape(shape)


def _places(opened: Opened, view: View) -> tuple[tuple[int, ...], Box]:
    """The sizes of the axes that are wanted, and which of their places. Raises UnsupportedError."""
    sizes, axes = _sizes(opened, view), opened.layout.axes
    if len(sizes) != len(axes):
        raise UnsupportedError(f"it has {len(axes)} coordinate axes, and {len(sizes)} sizes were given")
    box = view.region or tuple(slice(0, n) for n in sizes)
    if len(box) != len(sizes) or not all(0 <= s.start < s.stop <= n for s, n in zip(box, sizes, strict=True)):
        raise UnsupportedError(f"the region does not lie inside {' × '.join(map(str, sizes))} places")
    return sizes, box


def _sizes(opened: Opened, view: View) -> tuple[int, ...]:
    """Places along each axis that are wanted. Raises UnsupportedError."""
    axes, rate = opened.layout.axes, opened.header.sample_rate
    sizes = view.sizes or axes
    if view.sample_rate:
        if rate is None or view.sizes:
            raise UnsupportedError("a sample rate is for sounds, and stands in place of sizes")
        sizes = (max(1, round((axes[0] - 1) * view.sample_rate / rate) + 1),)
        if sizes == axes and view.sample_rate != rate:
            raise UnsupportedError(f"its {axes[0]} frames are too few for a rate of {view.sample_rate} instead of {rate}")
    if math.prod(sizes) > LARGEST_SHAPE:
        raise UnsupportedError(
            f"{' × '.join(map(str, sizes))} places are too many; at most 2^{LARGEST_SHAPE.bit_length() - 1} can be asked for"
        )
    return sizes


def _extra(opened: Opened, view: View) -> int:
    """Bits below those of the file that are wanted. Raises UnsupportedError."""
    depth = opened.header.bit_depth
    if not view.bit_depth:
        return 0
    if opened.header.float_map and view.bit_depth != depth:
        raise UnsupportedError(f"its samples are floats of {depth} bits; only integers can be given another bit depth")
    if opened.header.float_map:
        return 0
    if depth > MAX_DEPTH and view.bit_depth != depth:
        raise UnsupportedError(f"its samples have {depth} bits; only samples of up to {MAX_DEPTH} can be given another bit depth")
    if depth <= MAX_DEPTH and not depth <= view.bit_depth <= MAX_DEPTH:
        raise UnsupportedError(f"its samples have {depth} bits; a bit depth of {depth} to {MAX_DEPTH} can be rendered")
    return view.bit_depth - depth


def _network_samples(opened: Opened, view: View, sizes: tuple[int, ...], box: Box, extra: int, options: Options) -> npt.NDArray[np.generic]:
    """What the network says, in the header's order of axes, with `extra` bits below those of the file. Raises UnsupportedError."""
    given, ask = min(extra, opened.decoder.most_extra), opened.decoder.alone
    dtype = value_type(opened.header.value_map.bits + given)
    found = _asked(opened, view, box, dtype, options, lambda part, which, tick: ask(sizes, part, given, which, tick))
    return _to_samples(opened, found, extra, extra - given)


def _asked(
    opened: Opened, view: View, box: Box, dtype: np.dtype[Any], options: Options, ask: Callable[[Box, int, Ticker], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """What the network says of a box, (*sizes of the box, channels), a part after the other. Raises UnsupportedError.

    ask: called with a part, the index of the network that is asked, and what is to be called now and then.
    """
    decoder = opened.decoder
    found = decoder.configurations
    if not found:
        raise UnsupportedError("it has no network that could be asked at other places; only files of profile inr have one")
    which = -1
    if view.config is not None:
        if view.config not in found:
            raise UnsupportedError(f"it has no network {_named(view.config)}; it has {', '.join(map(_named, found))}")
        which = list(found).index(view.config)
    shape = box_shape(box)
    options.limits.check_shape((*shape, opened.layout.channels))
    parts = _parts(box)
    at_once = decoder.memory(parts[0]) * min(options.workers, len(parts))
    options.limits.check_memory(PLACE_BYTES * math.prod(shape) * opened.layout.channels + decoder.shared + at_once)
    out = np.empty((*shape, opened.layout.channels), dtype)
    ticker = Ticker(options, "rendering")
    ticker.expect(len(parts))

    def fill(part: Box) -> None:
        target = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, box, strict=True))
        out[target] = ask(part, which, ticker)

    parallel.run(fill, parts, options.workers, ticker.cancel)
    return out


def _named(configuration: tuple[int, int]) -> str:
    """A configuration as the command line has it: "3x64"."""
    return "x".join(map(str, configuration))


def _parts(box: Box) -> Sequence[Box]:
    """A box cut along its first axis into parts of about PART_PLACES places."""
    first, rest = box[0], math.prod(box_shape(box[1:]))
    step = max(1, PART_PLACES // max(1, rest))
    return [(slice(i, min(i + step, first.stop)), *box[1:]) for i in range(first.start, first.stop, step)]


def _to_samples(opened: Opened, values: Values, extra: int, missing: int) -> npt.NDArray[np.generic]:
    """Samples with `extra` more bits, in the header's order of axes: offset·2^extra + step·value, within the depth. Values are overwritten.

    values: unsigned, with `missing` bits fewer than that: the middle of what the others leave is taken. The samples are of the header's
    type, or of one as wide as they need.
    """
    h = opened.header
    if h.float_map:
        return _to_floats(opened, values)
    depth = h.bit_depth + extra
    low, high = (-(1 << (depth - 1)), (1 << (depth - 1)) - 1) if h.dtype.kind == "i" else (0, (1 << depth) - 1)
    dtype = h.dtype
    if extra and (dtype.kind == "b" or type_bits(dtype) < depth):
        dtype = np.dtype(f"{'i' if dtype.kind == 'i' else 'u'}{next(n for n in (1, 2, 4, 8) if 8 * n >= depth)}")
    step = h.value_map.step << missing
    offset = (h.value_map.offset << extra) + (step >> 1 if missing else 0)
    below, above = values < -((offset - low) // step), values > (high - offset) // step  # whose samples are not within the depth
    wrapped = values.astype(np.uint64, copy=False)
    wrapped *= np.uint64(step % 2**64)
    wrapped += np.uint64(offset % 2**64)
    samples = wrapped.view(np.int64 if low else np.uint64).astype(dtype, copy=False)
    samples[below], samples[above] = low, high
    return samples.reshape(*values.shape[:-1], *h.shape[len(values.shape) - 1 :])


def _to_floats(opened: Opened, values: Values) -> npt.NDArray[np.generic]:
    """Floats, in the header's order of axes, nearest to what the values say; where they are split, without fine bits."""
    h, float_map = opened.header, opened.header.float_map
    assert float_map
    high = type_range(h.integer_type)[1]
    beyond = values > (high - h.value_map.offset) // h.value_map.step
    integers = from_values(values, h.value_map, h.integer_type)
    integers[beyond] = high
    return h.shaped(floats.from_integers(integers, float_map, h.part_type, rounded=True))


def _deeper(opened: Opened, box: Box, extra: int, fill: Fill, options: Options) -> npt.NDArray[np.generic]:
    """Samples of a box, whose own bits are known, with `extra` bits below them. Raises UnsupportedError."""
    from .expand import expand, memory

    h = opened.header
    depth, held = h.bit_depth + extra, math.prod(h.shape) * h.dtype.itemsize
    if fill != "network":  # what is near a part tells of it too
        options.limits.check_memory(held + memory(h.shape, depth))
        return expand(opened.samples(options), h.bit_depth, depth, h.channel_axis, fill)[box]
    if not opened.decoder.most_extra:
        raise UnsupportedError("it has no network that says anything of further bits; --fill smooth, midpoint or zero needs none")
    options.limits.check_memory(held + DEEPER_BYTES * math.prod(box_shape(box)) * opened.layout.channels)
    known = opened.samples(options)[box]
    least = expand(known, h.bit_depth, depth, h.channel_axis, "zero")
    found = _network_samples(opened, View(), opened.layout.axes, box, extra, options).astype(np.int64)
    return np.clip(found, least.astype(np.int64), least.astype(np.int64) + ((1 << extra) - 1)).astype(least.dtype)
