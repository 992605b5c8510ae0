"""Section NETW and tiles of the profile `inr`.

NETW holds the network. A tile holds the bits of its values, arithmetic-coded with probabilities that the network gives: from its calibrated
logits, or from its means. The coordinates are those of the whole signal, so any tile can be decoded alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from ... import parallel
from ...container import Section
from ...errors import FormatError, UnsupportedError
from ...kernels import coder, noting
from ...kernels.architecture import MEAN_BITS, Architecture
from ...kernels.calibration import NODES, Calibration
from ...kernels.inr import Network, axis_coordinates
from ...kernels.meancode import MeanCoder, join_means, rounded
from ...layout import Box, Layout, box_shape, tile_of
from ...options import Options
from ...parallel import Once
from ...progress import Ticker
from ...values import Values, from_gray, join_bits, plane_bits, to_gray, value_type
from ...weights import adapted, network, prior
from ...weights.adapted import Adapted
from ...weights.network import FINE_ERROR_BITS, CodedNetwork, error_bits
from ..base import Bits, Parts, Tick, TileDecoder, ignore
from . import NETW

TILE_PLACES = 1 << 18
CHUNK_VALUES = 1 << 20  # numbers of the widest layer that are computed at a time; does not change the result
PLANE_BYTES = 32 * NODES  # that the calibration of a bit-plane takes
PART_BYTES = 12  # that a parameter of a smaller network in a network takes, when it is asked
Written = network.Written | adapted.Written

CHUNK_BYTES = 48  # that each of them takes at most, with what is made of it


def coordinates_of(box: Box, axes: tuple[int, ...], start: int, stop: int) -> npt.NDArray[np.int64]:
    """Coordinates (see `axis_coordinates`) of places start … stop − 1 of a box, in raster order: (stop − start, axes) int64."""
    places = np.unravel_index(np.arange(start, stop), box_shape(box))
    return np.stack([axis_coordinates(n, s.start + p) for n, s, p in zip(axes, box, places, strict=True)], axis=1)


def widest(a: Architecture) -> int:
    """The most numbers that a network has of one place at once."""
    return max(a.inputs, a.hidden, a.planes)


def pieces(a: Architecture, box: Box, axes: tuple[int, ...]) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
    """A box, some places at a time: (slice of the places in raster order, their coordinates)."""
    total, step = math.prod(box_shape(box)), max(1, CHUNK_VALUES // widest(a))
    for start in range(0, total, step):
        stop = min(total, start + step)
        yield slice(start, stop), coordinates_of(box, axes, start, stop)


def network_values(coded: CodedNetwork, asked: Network, coordinates: npt.NDArray[np.int64], extra: int = 0) -> Values:
    """The values that a network alone gives, (places, channels) unsigned, with `extra` bits below those of the file (SPEC.md, section 17).

    asked: the network of `coded`, or a smaller one in it. extra: at most `most_extra`.
    """
    a = asked.architecture
    if coded.joint is None:
        bits = a.bits + extra
        found = join_bits((asked.logits(coordinates, bits if extra else 0) > 0).astype(np.uint8), bits)
        return from_gray(found) if coded.gray else found
    means, _ = asked.means(coordinates)
    join_means(means, coded.joint, a.bits, extra == 0)
    return rounded(means, a.bits, extra).astype(value_type(a.bits + extra))


def network_field(coded: CodedNetwork, asked: Network, coordinates: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Of values of one bit and one channel, what `network_values` decides by, (places, 1): logits, or how far means are above a half."""
    if coded.joint is None:
        return asked.logits(coordinates).astype(np.int64)
    means, _ = asked.means(coordinates)
    join_means(means, coded.joint, 1, False)
    return means - ((1 << MEAN_BITS - 2) - 1)  # a mean of a half of a value is a 1


def squared_error(found: Values, values: Values) -> float:
    """The sum of squared differences of values, of one shape and type: 0 only if all are equal, also of values that no float64 holds."""
    return float(np.square((np.maximum(found, values) - np.minimum(found, values)).astype(np.float64)).sum())


@dataclass(frozen=True)
class Compared:
    """How values that were found differ from the right ones. squares: the sum of squared differences; ones: of values of one bit, how many
    are one in either."""

    squares: float = 0.0
    ones: int = 0

    @classmethod
    def of(cls, found: Values, values: Values, bits: int) -> Compared:
        """That of values below 2^bits, of one shape and type."""
        return cls(squared_error(found, values), int(np.count_nonzero(found | values)) if bits == 1 else 0)

    @classmethod
    def total(cls, parts: Iterable[Compared]) -> Compared:
        """That of all parts together."""
        parts = list(parts)
        return cls(sum(p.squares for p in parts), sum(p.ones for p in parts))


class TileCoder:
    """Codes the values of one tile, either way: adaptive maps that belong to the tile, and one arithmetic-coded string."""

    def __init__(self, coded: CodedNetwork, sizes: tuple[int, ...]) -> None:
        """sizes: of the tile's axes."""
        self.coded = coded
        bits = coded.network.architecture.bits
        self.means = MeanCoder(coded.joint, bits, sizes) if coded.joint is not None else None
        self.logits = Calibration(coded.gains) if coded.joint is None else None

    def encode(self, output: coder.Output, coordinates: npt.NDArray[np.int64], values: Values) -> Compared:
        """Code values, (places, channels), in raster order. Returns how the network's own values compare with them."""
        n, a = self.coded.network, self.coded.network.architecture
        if self.means is not None:
            means, scales = n.means(coordinates)
            wanted = values.astype(np.int64)
            alone = means.copy()
            join_means(alone, self.means.model.joint, a.bits, True)
            self.means.encode(output, means, scales, wanted.copy())
            return Compared.of(rounded(alone, a.bits), wanted, a.bits)
        assert self.logits is not None
        logits = n.logits(coordinates)
        self.logits.encode(output, logits, plane_bits(to_gray(values) if self.coded.gray else values, a.bits))
        found = join_bits((logits > 0).astype(np.uint8), a.bits)
        return Compared.of(from_gray(found) if self.coded.gray else found, values, a.bits)

    def decode(self, stream: coder.Input, coordinates: npt.NDArray[np.int64], read: npt.NDArray[np.float64] = noting.UNREAD) -> Values:
        """Values, (places, channels) unsigned, in raster order. read: (places, channels·bits), see `calibration.code_planes`."""
        n, a = self.coded.network, self.coded.network.architecture
        if self.means is not None:
            return self.means.decode(stream, *n.means(coordinates), read).astype(value_type(a.bits))
        assert self.logits is not None
        found = join_bits(self.logits.decode(stream, n.logits(coordinates), read), a.bits)
        return from_gray(found) if self.coded.gray else found

    def order(self) -> npt.NDArray[np.int64]:
        """The numbers of the bits of a place, channel by channel, in the order in which they are coded."""
        a = self.coded.network.architecture
        found = np.arange(a.channels * a.bits)
        return found if self.means is None else found.reshape(a.channels, a.bits)[self.means.model.joint.order].ravel()


def encode_tile(
    coded: CodedNetwork, values: Values, box: Box, axes: tuple[int, ...], tick: Callable[[int], None]
) -> tuple[bytes, Compared]:
    """The bytes of a tile, and how what the network alone says compares with its values.

    values: (*sizes of the box, channels), unsigned; axes: sizes of the whole signal. tick: called with the number of places coded since its
    last call; what it raises ends the work.
    """
    tile, output, parts = TileCoder(coded, box_shape(box)), coder.Output(), []
    flat = values.reshape(-1, values.shape[-1])
    for places, coordinates in pieces(coded.network.architecture, box, axes):
        parts.append(tile.encode(output, coordinates, flat[places]))
        tick(len(coordinates))
    return output.finish(), Compared.total(parts)


def _encode_cut(coded: CodedNetwork, axes: tuple[int, ...], cut: tuple[Box, Values], tick: Tick) -> tuple[bytes, Compared]:
    """`encode_tile` of a box and its values."""
    box, values = cut
    return encode_tile(coded, values, box, axes, tick)


def encode_with(coded: CodedNetwork, values: Values, options: Options) -> Parts:
    """Code values, (axes…, channels), with this network: the layout, section NETW, and the bytes of each tile."""
    axes = values.shape[:-1]
    layout = Layout(axes, values.shape[-1], tile_of(axes, TILE_PLACES))
    ticker = Ticker(replace(options, stop=None), "coding")  # a stop ends the fit, and what was fitted is to become a file
    ticker.expect(layout.places)
    work, cut = partial(_encode_cut, coded, axes), ((box, values[box]) for box in layout.boxes())
    found = parallel.spread(work, cut, layout.tiles, options.workers, ticker)
    coded = with_errors(coded, values, Compared.total(part for _, part in found))
    # a network that is always right needs no payload
    content = adapted.write(coded) if isinstance(coded, Adapted) else network.write(coded)
    return Parts(layout, Section(NETW, content), [data if coded.errors[-1] else b"" for data, _ in found])


def with_errors(coded: CodedNetwork, values: Values, whole: Compared) -> CodedNetwork:
    """A network with the errors of what it and each smaller one in it say of values, (axes…, channels). whole: how the former compares."""
    a = coded.network.architecture
    every = [*(compare_part(coded, values, *c) for c in a.configurations[:-1]), whole]
    errors = tuple(error_code(found.squares, values.size, error_bits(a)) for found in every)
    distances = tuple(error_code(found.squares, found.ones, FINE_ERROR_BITS) for found in every) if a.bits == 1 else ()
    return replace(coded, errors=errors, distances=distances)


def error_code(squares: float, count: int, fraction: int) -> int:
    """A mean squared error as NETW has it, × 2^fraction: at least 1 unless all are 0, and at most MAX_ERROR, which deep values can pass.

    squares: the sum of count squares. Of values of one bit, where count is the places with a one in either, it is the Jaccard distance.
    """
    return min(max(1, round(squares / count * (1 << fraction))), network.MAX_ERROR) if squares else 0


def compare_part(coded: CodedNetwork, values: Values, layers: int, hidden: int) -> Compared:
    """How the values that a smaller network in this one gives compare with the right ones."""
    axes = values.shape[:-1]
    part, flat, found = coded.network.part(layers, hidden), values.reshape(-1, values.shape[-1]), []
    for places, coordinates in pieces(part.architecture, tuple(slice(0, n) for n in axes), axes):
        found.append(Compared.of(network_values(coded, part, coordinates), flat[places], part.architecture.bits))
    return Compared.total(found)


class Decoder(TileDecoder):
    """Decodes the tiles of profile `inr` with the network of section NETW, whose numbers are decoded with the first tile.

    written: the network as section NETW has it; section_bytes: how many bytes that section has.
    """

    known: tuple[str, ...] = ("inr-bitlinear-sinr", "inr-heads-filters", "inr-values-array-3d", "inr-values-grid")

    def __init__(self, written: Written, layout: Layout, section_bytes: int) -> None:
        self.written, self.layout, self.section_bytes = written, layout, section_bytes
        if isinstance(written, adapted.Written):
            self.known = (*self.known, "inr-prior-modulations")
        a = written.architecture
        self.planes = [f"channel {channel} bit {bit}" for channel in range(a.channels) for bit in reversed(range(a.bits))]
        self.coded = Once(written.decode)
        self.parts = [Once(partial(self._part, *c)) for c in written.architecture.configurations[: len(written.numbers)]]

    def decode_costs(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> tuple[Values, Bits]:
        a, sizes = self.written.architecture, box_shape(box)
        costs = np.zeros((math.prod(sizes), a.channels * a.bits), np.float32)
        values = self._decode(box, data, tick, costs)
        return values, np.ascontiguousarray(costs.T).reshape(-1, *sizes)

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        return self._decode(box, data, tick)

    def _decode(self, box: Box, data: bytes, tick: Tick, costs: Bits | None = None) -> Values:
        """`decode_tile`. costs: (places, channels·bits), filled in with what each bit took, channel by channel."""
        coded, a = self.coded(), self.written.architecture
        if self.written.exact:
            if data:
                raise FormatError("damaged: a tile has content where the network gives every value")
            return self.alone(self.layout.axes, box, tick=tick)
        tile, stream = TileCoder(coded, box_shape(box)), coder.Input(data)
        values = np.empty((math.prod(box_shape(box)), a.channels), value_type(a.bits))
        for places, coordinates in pieces(a, box, self.layout.axes):
            read = np.zeros((len(coordinates), a.channels * a.bits)) if costs is not None else noting.UNREAD
            values[places] = tile.decode(stream, coordinates, read)
            if costs is not None:
                costs[places, tile.order()] = noting.costs_of(read, stream.bits)
            tick(len(coordinates) / len(values))
        stream.finish()
        return values.reshape(*box_shape(box), a.channels)

    def memory(self, box: Box, threads: int = 1) -> int:
        a, places = self.written.architecture, math.prod(box_shape(box))
        chunk = CHUNK_BYTES * max(min(CHUNK_VALUES, places * widest(a)), widest(a))
        values = places * a.channels * value_type(a.bits).itemsize
        return values + chunk + a.planes * PLANE_BYTES

    def check(self) -> None:
        super().check()
        prior.SHELF.check()

    @property
    def shared(self) -> int:
        w = self.written
        return w.memory + (PART_BYTES * w.architecture.parameters if w.architecture.widths else 0)

    def weights_bytes(self, section: int) -> int:
        return section

    @property
    def most_extra(self) -> int:
        a = self.written.architecture
        return MEAN_BITS - a.bits if a.form == "values" else 0 if self.written.gray else max(0, a.bit_places - a.bits)

    @property
    def configurations(self) -> Sequence[tuple[int, int]]:
        return self.written.architecture.configurations[: len(self.written.numbers)]

    def alone(self, sizes: tuple[int, ...], box: Box, extra: int = 0, configuration: int = -1, tick: Tick = ignore) -> Values:
        coded = self.coded()
        which = range(len(self.configurations))[configuration]
        a = coded.network.architecture
        asked = self.parts[which]() if a.widths else coded.network
        values = np.empty((math.prod(box_shape(box)), a.channels), value_type(a.bits + extra))
        for places, coordinates in pieces(a, box, sizes):
            values[places] = network_values(coded, asked, coordinates, extra)
            tick(len(coordinates) / len(values))
        return values.reshape(*box_shape(box), a.channels)

    def field(self, sizes: tuple[int, ...], box: Box, configuration: int = -1, tick: Tick = ignore) -> npt.NDArray[np.int64]:
        coded = self.coded()
        a = coded.network.architecture
        if a.planes != 1:
            raise UnsupportedError(f"its network gives {a.planes} bits at a place; only a network of one bit has a field")
        which = range(len(self.configurations))[configuration]
        asked = self.parts[which]() if a.widths else coded.network
        found = np.empty((math.prod(box_shape(box)), a.channels), np.int64)
        for places, coordinates in pieces(a, box, sizes):
            found[places] = network_field(coded, asked, coordinates)
            tick(len(coordinates) / len(found))
        return found.reshape(*box_shape(box), a.channels)

    def _part(self, layers: int, hidden: int) -> Network:
        return self.coded().network.part(layers, hidden)

    def describe(self) -> Mapping[str, object]:
        w, a = self.written, self.written.architecture
        return {
            "form": a.form,
            "body": a.body,
            "activation": a.activation,
            "hidden": a.hidden,
            "layers": a.layers,
            "octaves": a.octaves,
            **({"prior": w.key.hex(), "patches": w.patches} if isinstance(w, adapted.Written) else {}),
            **({"planes": "gray" if w.gray else "binary"} if a.form != "values" else {}),
            **({"levels": [level.nodes(a.sizes) for level in a.levels], "cells": a.cells} if a.levels else {}),
            **self._errors(len(w.numbers) - 1 if a.widths else 0),
            **({"configurations": self._configurations()} if a.widths else {}),
            "weights": {
                "coding": w.coding,
                "setting": w.setting,
                "parameters": w.parameters,
                "bits_per_parameter": 8 * self.section_bytes / w.parameters,
            },
        }

    def _configurations(self) -> list[dict[str, object]]:
        """Each network in the network: its layers and units, the bytes of the section up to its end, and its errors."""
        both = enumerate(zip(self.configurations, self.written.ends, strict=False))
        return [{"layers": d, "hidden": h, "bytes": end, **self._errors(i)} for i, ((d, h), end) in both]

    def _errors(self, configuration: int) -> dict[str, object]:
        """The mean squared error of a configuration; of values of one bit also the IoU, intersection over union of the ones."""
        w = self.written
        ious = {"iou": 1 - w.distances[configuration] / (1 << FINE_ERROR_BITS)} if w.distances else {}
        return {"mse": w.errors[configuration] / (1 << error_bits(w.architecture)), **ious}


def open_decoder(content: bytes, layout: Layout, bits: int, cut: bool = False) -> Decoder:
    """Parse and check section NETW, of which the end may be missing with `cut`. Raises FormatError."""
    written: Written
    if adapted.names_prior(content):
        if cut:
            raise FormatError("truncated: the network ends too early")
        written = adapted.parse(content, layout.axes, layout.channels, bits)
    else:
        written = network.parse(content, layout.axes, layout.channels, bits, cut)
    return Decoder(written, layout, len(content))
