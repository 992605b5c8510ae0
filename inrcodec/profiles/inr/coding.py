"""Section NETW and tiles of the profile `inr`.

NETW holds the network. A tile holds the bits of its values, arithmetic-coded with probabilities that the network's calibrated logits
give. The coordinates are those of the whole signal, so any tile can be decoded alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ... import parallel
from ...container import Section
from ...kernels import coder
from ...kernels.calibration import NODES, Calibration
from ...kernels.inr import Architecture, Network, axis_coordinates
from ...layout import Box, Layout, box_shape, tile_of
from ...options import Options
from ...parallel import Once
from ...progress import Ticker
from ...values import Values, from_gray, join_bits, plane_bits, to_gray, value_type
from ...weights import network
from ...weights.network import CodedNetwork, Written
from ..base import Parts, Tick, TileDecoder, ignore
from . import NETW

TILE_PLACES = 1 << 18
CHUNK_VALUES = 1 << 20  # numbers of the widest layer that are computed at a time; does not change the result
PLANE_BYTES = 32 * NODES  # that the calibration of a bit-plane takes
CHUNK_BYTES = 48  # that each of them takes at most, with what is made of it


def coordinates_of(box: Box, axes: tuple[int, ...], start: int, stop: int) -> npt.NDArray[np.int64]:
    """Coordinates (see `axis_coordinates`) of places start … stop − 1 of a box, in raster order: (stop − start, axes) int64."""
    places = np.unravel_index(np.arange(start, stop), box_shape(box))
    return np.stack([axis_coordinates(n, s.start + p) for n, s, p in zip(axes, box, places, strict=True)], axis=1)


def widest(a: Architecture) -> int:
    """The most numbers that a network has of one place at once."""
    return max(a.inputs, a.hidden, a.planes)


def logits_of(network: Network, box: Box, axes: tuple[int, ...]) -> Iterator[tuple[slice, npt.NDArray[np.int32]]]:
    """The logits of a box, some places at a time: (slice of the places in raster order, logits (places, planes) int32)."""
    total, step = math.prod(box_shape(box)), max(1, CHUNK_VALUES // widest(network.architecture))
    for start in range(0, total, step):
        stop = min(total, start + step)
        yield slice(start, stop), network.logits(coordinates_of(box, axes, start, stop))


def encode_tile(coded: CodedNetwork, values: Values, box: Box, axes: tuple[int, ...], tick: Callable[[int], None]) -> bytes:
    """The bytes of a tile. values: (*sizes of the box, channels), unsigned; axes: sizes of the whole signal.

    tick: called with the number of places coded since its last call; what it raises ends the work.
    """
    calibration, output = Calibration(coded.gains), coder.Output()
    flat = (to_gray(values) if coded.gray else values).reshape(-1, values.shape[-1])
    for places, logits in logits_of(coded.network, box, axes):
        calibration.encode(output, logits, plane_bits(flat[places], coded.network.architecture.bits))
        tick(len(logits))
    return output.finish()


def encode_with(coded: CodedNetwork, values: Values, options: Options) -> Parts:
    """Code values, (axes…, channels), with this network: the layout, section NETW, and the bytes of each tile."""
    axes = values.shape[:-1]
    layout = Layout(axes, values.shape[-1], tile_of(axes, TILE_PLACES))
    ticker = Ticker(replace(options, stop=None), "coding")  # a stop ends the fit, and what was fitted is to become a file
    ticker.expect(layout.places)
    tiles = parallel.run(lambda box: encode_tile(coded, values[box], box, axes, ticker), layout.boxes(), options.workers, ticker.cancel)
    return Parts(layout, Section(NETW, network.write(coded)), tiles)


class Decoder(TileDecoder):
    """Decodes the tiles of profile `inr` with the network of section NETW, whose numbers are decoded with the first tile.

    written: the network as section NETW has it; section_bytes: how many bytes that section has.
    """

    known = ("inr-heads-lsq-16", "inr-bitlinear-uniform-16")

    def __init__(self, written: Written, layout: Layout, section_bytes: int) -> None:
        self.written, self.layout, self.section_bytes = written, layout, section_bytes
        self.coded = Once(written.decode)

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        coded, a = self.coded(), self.written.architecture
        calibration, stream = Calibration(coded.gains), coder.Input(data)
        values = np.empty((math.prod(box_shape(box)), a.channels), value_type(a.bits))
        for places, logits in logits_of(coded.network, box, self.layout.axes):
            found = join_bits(calibration.decode(stream, logits), a.bits)
            values[places] = from_gray(found) if coded.gray else found
            tick(len(logits) / len(values))
        stream.finish()
        return values.reshape(*box_shape(box), a.channels)

    def memory(self, box: Box, threads: int = 1) -> int:
        a, places = self.written.architecture, math.prod(box_shape(box))
        chunk = CHUNK_BYTES * max(min(CHUNK_VALUES, places * widest(a)), widest(a))
        values = places * a.channels * value_type(a.bits).itemsize
        return values + chunk + a.planes * PLANE_BYTES

    @property
    def shared(self) -> int:
        return self.written.memory

    def weights_bytes(self, section: int) -> int:
        return section

    def describe(self) -> Mapping[str, object]:
        w, a = self.written, self.written.architecture
        return {
            "form": a.form,
            "activation": a.activation,
            "hidden": a.hidden,
            "layers": a.layers,
            "octaves": a.octaves,
            "planes": "gray" if w.gray else "binary",
            "weights": {
                "coding": w.coding,
                "setting": w.setting,
                "parameters": a.parameters,
                "bits_per_parameter": 8 * self.section_bytes / a.parameters,
            },
        }


def open_decoder(content: bytes, layout: Layout, bits: int) -> Decoder:
    """Parse and check section NETW. Raises FormatError."""
    return Decoder(network.parse(content, len(layout.axes), layout.channels, bits), layout, len(content))
