"""Networks from priors, of linr.py, in plain Python and NumPy, written from SPEC.md alone (18)."""

from __future__ import annotations

import math

import numpy as np
from linr import SINR, ArithmeticDecoder, Head, Ints, Layer, Reader, coded_integers, prior_file, read_sparse, require, unbrotli
from linr_network import SINE as SINES
from linr_network import VALUES, Modulation, Network, check_exact, read_errors

MAGIC = b"LINRprior2"


class Prior:
    """A prior, from its bytes."""

    def __init__(self, data: bytes) -> None:
        outer = Reader(data)
        require(outer.take(10) == MAGIC, "not a prior of profile inr")
        size = outer.varint()
        reader = Reader(unbrotli(outer.rest(), size))
        self.patch, self.axes, self.channels = reader.byte(), reader.byte(), reader.byte()
        self.hidden, self.depth, self.octaves = reader.varint(), reader.varint(), reader.varint()
        self.order = list(reader.take(self.channels))
        self.factors = [[int.from_bytes(reader.take(2), "little", signed=True) for _ in range(i)] for i in range(self.channels)]
        inputs = self.axes * (1 + 2 * self.octaves)
        shapes = [(self.hidden, inputs), *[(self.hidden, self.hidden)] * (self.depth - 1), (self.channels, self.hidden)]
        self.layers = [Layer(o, i, takes_inputs=at == 0) for at, (o, i) in enumerate(shapes)]
        for layer in self.layers:
            layer.multiplier, layer.shift = reader.varint(), reader.byte()
        for layer in self.layers:
            layer.bias = np.frombuffer(reader.take(4 * layer.outputs), "<i4").astype(np.int64)
        for layer in self.layers:
            layer.matrix = words(reader, layer.outputs * layer.inputs).astype(np.float64).reshape(layer.outputs, layer.inputs)
        self.latents, self.map = 0, np.zeros((0, 0), np.int64)
        if self.patch:
            self.latents = reader.varint()
            reader.byte()  # for encoders
            self.map = words(reader, self.depth * self.hidden * self.latents).reshape(-1, self.latents)


def words(reader: Reader, count: int) -> Ints:
    low, high = np.frombuffer(reader.take(count), np.uint8), np.frombuffer(reader.take(count), np.int8)
    found: Ints = low.astype(np.int64) + 256 * high.astype(np.int64)
    return found


def named(name: bytes) -> Prior:
    """The prior whose SHA-256 begins with `name`."""
    return Prior(prior_file(name, "weights/priors"))


def scale(reader: Reader) -> tuple[int, int]:
    """M and S."""
    multiplier, shift = reader.varint(), reader.byte()
    require(multiplier < 1 << 31 and shift <= 62, "a multiplier or a shift is out of range")
    return multiplier, shift


def read_network(content: bytes, head: Head) -> Network:
    """The network of a section NETW that begins with byte 64."""
    reader = Reader(content)
    reader.byte()
    prior = named(reader.take(8))
    fitting = len(head.axes) == prior.axes and head.channels == prior.channels and 1 <= head.bits <= 24
    require(fitting, "a prior that does not fit the signal")
    net = Network(
        head.axes, head.channels, head.bits, VALUES, 0, SINES, False, False, False, True, False, False, False,
        prior.hidden, prior.depth, prior.octaves,
    )  # fmt: skip
    net.widths, net.depths = [prior.hidden], [prior.depth]
    net.order, net.factors, net.halvings = prior.order, prior.factors, [0] * prior.channels
    coding, setting = reader.byte(), reader.byte()
    require(coding == 0 or (coding == SINR and prior.patch > 0), "a coding that a prior does not have")
    read_errors(reader, net)
    net.networks = [prior.layers]
    last = prior.layers[-1]
    last.multiplier, last.shift = scale(reader)
    last.bias = np.array([reader.signed() for _ in range(prior.channels)], object)
    require(max(abs(b) for b in last.bias) << 6 <= 1 << 31, "a bias is too large")
    last.bias = last.bias.astype(np.int64) << 6
    net.scale_codes = list(reader.take(prior.channels))
    if prior.patch:
        net.modulation = Modulation(prior.patch, read_shifts(reader, prior, head, coding, setting))
    else:
        add_difference(reader, prior)
    check_exact(net)
    return net


def add_difference(reader: Reader, prior: Prior) -> None:
    """Add to the prior's layers what the file says they differ by."""
    layers = prior.layers
    steps = [reader.varint() for _ in range(2 * len(layers) - 1)]
    require(max(steps) <= 1 << 16, "a step is out of range")
    decoder = ArithmeticDecoder(reader.rest())
    for layer, step in zip(layers[:-1], steps[len(layers) :], strict=True):
        layer.bias = layer.bias + coded_integers(decoder, layer.outputs) * step
    for layer, step in zip(layers, steps, strict=False):
        numbers = coded_integers(decoder, layer.outputs * layer.inputs).reshape(layer.outputs, layer.inputs)
        layer.matrix = layer.matrix + (numbers * step).astype(np.float64)
    decoder.finish()


def read_shifts(reader: Reader, prior: Prior, head: Head, coding: int, setting: int) -> Ints:
    """The shifts of the hidden layers, a row per patch."""
    multiplier, shift = scale(reader)
    patches = math.prod(-(-n >> prior.patch) for n in head.axes)
    require(patches * prior.latents <= 1 << 26, "too many latent values")
    if coding == SINR:
        matrix = Layer(prior.latents, patches)
        read_sparse(Reader(reader.rest()), [matrix], setting)
        latents = matrix.matrix.astype(np.int64)
    else:
        decoder = ArithmeticDecoder(reader.rest())
        latents = coded_integers(decoder, patches * prior.latents, width=prior.latents).reshape(patches, prior.latents).T
        decoder.finish()
    most = int(np.abs(latents).max()) * int(np.abs(prior.map).sum(axis=1).max())
    require(most < 1 << 53 and most * multiplier < 1 << 62, "the sums of latent values are not exact")
    found: Ints = (((prior.map @ latents) * multiplier >> shift) % 2**16).T
    return found
