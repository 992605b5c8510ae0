"""Section NETW and tiles of the profile `inr`.

NETW holds the network. A tile holds the bits of its values, arithmetic-coded with probabilities that the network's calibrated logits
give. The coordinates are those of the whole signal, so any tile can be decoded alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from ... import parallel
from ...container import Section
from ...kernels import coder
from ...kernels.calibration import Calibration
from ...kernels.inr import Network, axis_coordinates
from ...layout import Box, Layout, box_shape, tile_of
from ...options import Options
from ...values import Values, from_gray, join_bits, plane_bits, to_gray
from ...weights import network
from ...weights.network import CodedNetwork
from ..base import Parts, Tick, TileDecoder, ignore
from . import NETW

TILE_PLACES = 1 << 18
CHUNK_VALUES = 1 << 22  # numbers of the widest layer that are computed at a time; does not change the result


def coordinates_of(box: Box, axes: tuple[int, ...], start: int, stop: int) -> npt.NDArray[np.int64]:
    """Coordinates (see `axis_coordinates`) of places start … stop − 1 of a box, in raster order: (stop − start, axes) int64."""
    places = np.unravel_index(np.arange(start, stop), box_shape(box))
    return np.stack([axis_coordinates(n, s.start + p) for n, s, p in zip(axes, box, places, strict=True)], axis=1)


def logits_of(network: Network, box: Box, axes: tuple[int, ...]) -> Iterator[tuple[slice, npt.NDArray[np.int32]]]:
    """The logits of a box, some places at a time: (slice of the places in raster order, logits (places, planes) int32)."""
    total = int(np.prod(box_shape(box)))
    step = max(1, CHUNK_VALUES // max(network.architecture.hidden, network.architecture.planes))
    for start in range(0, total, step):
        stop = min(total, start + step)
        yield slice(start, stop), network.logits(coordinates_of(box, axes, start, stop))


def encode_tile(coded: CodedNetwork, values: Values, box: Box, axes: tuple[int, ...]) -> bytes:
    """The bytes of a tile. values: (*sizes of the box, channels), unsigned; axes: sizes of the whole signal."""
    calibration, output = Calibration(coded.gains), coder.Output()
    flat = (to_gray(values) if coded.gray else values).reshape(-1, values.shape[-1])
    for places, logits in logits_of(coded.network, box, axes):
        calibration.encode(output, logits, plane_bits(flat[places], coded.network.architecture.bits))
    return output.finish()


def encode_with(coded: CodedNetwork, values: Values, options: Options) -> Parts:
    """Code values, (axes…, channels), with this network: the layout, section NETW, and the bytes of each tile."""
    axes = values.shape[:-1]
    layout = Layout(axes, values.shape[-1], tile_of(axes, TILE_PLACES))
    tiles = parallel.run(lambda box: encode_tile(coded, values[box], box, axes), layout.boxes(), options.workers)
    return Parts(layout, Section(NETW, network.write(coded)), tiles)


class Decoder(TileDecoder):
    """Decodes the tiles of profile `inr` with the network of section NETW."""

    known = ("inr-heads-lsq-16", "inr-bitlinear-uniform-16")

    def __init__(self, coded: CodedNetwork, layout: Layout, section_bytes: int) -> None:
        self.coded, self.layout, self.section_bytes = coded, layout, section_bytes

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        a = self.coded.network.architecture
        calibration = Calibration(self.coded.gains)
        stream = coder.Input(data)
        values = np.empty((int(np.prod(box_shape(box))), a.channels), np.uint64)
        for places, logits in logits_of(self.coded.network, box, self.layout.axes):
            values[places] = join_bits(calibration.decode(stream, logits), a.bits)
        stream.finish()
        return (from_gray(values) if self.coded.gray else values).reshape(*box_shape(box), a.channels)

    def weights_bytes(self, section: int) -> int:
        return section

    def describe(self) -> Mapping[str, object]:
        a = self.coded.network.architecture
        return {
            "form": a.form,
            "activation": a.activation,
            "hidden": a.hidden,
            "layers": a.layers,
            "octaves": a.octaves,
            "planes": "gray" if self.coded.gray else "binary",
            "weights": {
                "coding": self.coded.coding,
                "setting": self.coded.setting,
                "parameters": a.parameters,
                "bits_per_parameter": 8 * self.section_bytes / a.parameters,
            },
        }


def open_decoder(content: bytes, layout: Layout, bits: int) -> Decoder:
    """Parse and check section NETW. Raises FormatError."""
    return Decoder(network.read(content, len(layout.axes), layout.channels, bits), layout, len(content))
