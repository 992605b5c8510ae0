"""The `inr` profile: P(bit) from coordinates and bit index alone, by a network fitted to the signal.

Section NETW holds the network; a tile holds its bits, coded with the network's calibrated logits. The network sees
coordinates of the whole signal, so any tile can be decoded alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ..container import Section
from ..errors import FormatError
from ..kernels import coder
from ..kernels.calibration import Calibration
from ..kernels.network import Network, axis_coordinates
from ..layout import Box, Layout, box_shape, tile_of
from ..options import Options
from ..planes import Values, from_gray, join_bits, plane_bits, to_gray
from ..weights import serialize
from ..weights.serialize import CodedNetwork
from . import Coded, Tick, ignore

NETW = b"NETW"
TILE_PLACES = 1 << 18
SMALLEST_NETWORK_BYTES = 400  # no network is written in less
CHUNK_VALUES = 1 << 22  # of the widest layer, evaluated at a time; no influence on the result


def coordinates_of(box: Box, axes: tuple[int, ...], start: int, stop: int) -> npt.NDArray[np.int64]:
    """Coordinates of places start … stop − 1 of a box in raster order: (stop − start, axes)."""
    places = np.unravel_index(np.arange(start, stop), box_shape(box))
    return np.stack([axis_coordinates(n, s.start + p) for n, s, p in zip(axes, box, places, strict=True)], axis=1)


def logits_of(network: Network, box: Box, axes: tuple[int, ...]) -> Iterator[tuple[slice, npt.NDArray[np.int32]]]:
    """(places, logits) of a box in raster order, some at a time."""
    total = int(np.prod(box_shape(box)))
    step = max(1, CHUNK_VALUES // max(network.architecture.hidden, network.architecture.planes))
    for start in range(0, total, step):
        stop = min(total, start + step)
        yield slice(start, stop), network.logits(coordinates_of(box, axes, start, stop))


def encode_tile(coded: CodedNetwork, values: Values, box: Box, axes: tuple[int, ...]) -> bytes:
    """One tile: `values` is (*sizes of box, channels)."""
    calibration, output = Calibration(coded.gains), coder.Output()
    flat = (to_gray(values) if coded.gray else values).reshape(-1, values.shape[-1])
    for places, logits in logits_of(coded.network, box, axes):
        calibration.encode(output, logits, plane_bits(flat[places], coded.network.architecture.bits))
    return output.finish()


def encode_with(coded: CodedNetwork, values: Values, options: Options) -> Coded:
    """Sections and tiles of `values`, (axes…, channels), with this network."""
    axes = values.shape[:-1]
    layout = Layout(axes, values.shape[-1], tile_of(axes, TILE_PLACES))
    with ThreadPoolExecutor(options.workers) as pool:
        tiles = list(pool.map(lambda box: encode_tile(coded, values[box], box, axes), layout.boxes()))
    return Coded("inr", layout, [Section(NETW, serialize.write(coded))], tiles)


def encode(values: Values, bits: int, options: Options) -> Coded:
    """Fit a network to values of shape (axes…, channels), below 2^bits, and code them with it."""
    from ..fit import fit

    return encode_with(fit(values, bits, options), values, options)


def encode_if_smaller(values: Values, bits: int, options: Options, size: int) -> Coded | None:
    """The same, given up as soon as it is clear that it won't be smaller than `size` bytes."""
    if not options.fits_in_auto or size < SMALLEST_NETWORK_BYTES:
        return None
    from ..fit import fit_if_smaller

    coded = fit_if_smaller(values, bits, options, size)
    return encode_with(coded, values, options) if coded is not None else None


class Decoder:
    """Holds the network."""

    def __init__(self, coded: CodedNetwork, layout: Layout, section_bytes: int) -> None:
        self.coded, self.layout, self.section_bytes = coded, layout, section_bytes

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        a = self.coded.network.architecture
        if not coder.is_valid(data):
            raise FormatError("damaged: a tile is not an arithmetic code")
        calibration = Calibration(self.coded.gains)
        buffer = np.frombuffer(data, np.uint8)
        state = coder.start_decoding(buffer)
        values = np.empty((int(np.prod(box_shape(box))), a.channels), np.uint64)
        for places, logits in logits_of(self.coded.network, box, self.layout.axes):
            values[places] = join_bits(calibration.decode(state, buffer, logits), a.bits)
        return (from_gray(values) if self.coded.gray else values).reshape(*box_shape(box), a.channels)

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        return []

    def describe(self) -> Mapping[str, object]:
        a = self.coded.network.architecture
        form = "siren" if a.bit_coordinate else "bitlinear" if a.per_plane else "heads"
        return {
            "form": form,
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


def open_decoder(sections: Mapping[bytes, bytes], layout: Layout, bits: int) -> Decoder:
    """Parse and check the network. Raises FormatError."""
    if NETW not in sections:
        raise FormatError("damaged: it lacks its network")
    if bits == 0:
        raise FormatError("damaged: a constant signal has a network")
    content = sections[NETW]
    return Decoder(serialize.read(content, len(layout.axes), layout.channels, bits), layout, len(content))
