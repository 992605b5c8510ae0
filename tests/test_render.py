"""Rendering: files at other sizes and depths, parts of them, and what their networks alone say; files that hold a network alone."""

from __future__ import annotations

import hashlib
import json
import math
import tracemalloc
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import inrcodec
from inrcodec import FormatError, LimitError, Signal, Stopped, UnsupportedError, cli, codec, container, files, views
from inrcodec.errors import LossyError
from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.kernels.dictionary import hash64
from inrcodec.kernels.inr import Cells, Layer, Network
from inrcodec.kernels.meancode import Joint
from inrcodec.options import Options, Progress
from inrcodec.profiles.inr import coding
from inrcodec.views import View
from inrcodec.weights.network import CodedNetwork
from tests.networks import architectures, coordinate, random_joint, random_network, values_alone

ONE = Options(threads=1)
pytestmark = pytest.mark.filterwarnings("ignore:without effect")  # no network is fitted here


def coded_of(a: Architecture, seed: int = 0, gray: bool = False) -> CodedNetwork:
    """A random network whose values vary."""
    rng = np.random.default_rng(seed)
    joint = random_joint(a.channels, rng) if a.form == "values" else None
    network = random_network(a, rng)
    layers = []
    for own in network.layers:
        last = own[-1]
        peak = int(np.abs(last.weights).sum(1).max()) * a.largest_input(len(own) - 1)
        shift = max(0, (peak * 999).bit_length() - (30 if joint else 20))
        bias = rng.integers(0, 2**30, a.outputs) * (joint is not None) * a.biased
        layers.append([*own[:-1], replace(last, multiplier=999, shift=shift, bias=bias)])
    network = replace(network, layers=layers)
    if joint is not None:
        joint = joint._replace(factors=joint.factors >> 6)
        network = replace(network, halvings=np.zeros(a.outputs, np.int64))
    return CodedNetwork(network, "uniform", 8, np.full(a.planes, 64, np.uint8), joint, gray)


def file_of(signal: Signal, coded: CodedNetwork, payload: bool = True) -> bytes:
    """A file of a signal with this network, which was not fitted to it."""
    with mock.patch("inrcodec.fit.search.fit_network", return_value=coded), warnings.catch_warnings():
        warnings.simplefilter("ignore", inrcodec.Notice)  # that it is not exact
        return inrcodec.encode(signal, profile="inr", payload=payload)


def signal_of(a: Architecture, kind: str = "image", depth: int = 0, metadata: Mapping[str, bytes] | None = None) -> Signal:
    """A random signal that a network of this shape can be for; an axis of channels is left out if there is one channel."""
    rng = np.random.default_rng(0)
    shape = (*a.sizes, a.channels) if a.channels > 1 else a.sizes
    width = next(w for w in (8, 16, 32, 64) if a.bits <= w)
    values = rng.integers(0, 2**a.bits - 1, shape, np.uint64, endpoint=True)
    values.flat[1 % values.size], values.flat[0], values.flat[-1] = 1, 0, 2**a.bits - 1  # so that a value is a sample
    if kind == "audio":
        samples = (values.astype(np.int64) - 2 ** (a.bits - 1)).astype(f"i{width // 8}")
        return Signal(samples, "audio", depth or a.bits, 8000, metadata or {})
    return Signal(values.astype(f"u{width // 8}"), kind, depth or a.bits, None, metadata or {})  # type: ignore[arg-type]


GREY = Architecture((9, 7), 1, 8, 5, 2, "values", octaves=2)
COLOUR = Architecture((9, 7), 3, 8, 6, 1, "values", activation="gelu", levels=(Level(1, 2), Level(0, 3, 0, True)))
HEADS = Architecture((9, 7), 3, 4, 8, 2, octaves=2)
SIREN = Architecture((9, 7), 1, 5, 9, 2, "siren", octaves=2, bit_places=11)
SUPER = Architecture((9, 7), 1, 8, 8, 2, "values", octaves=2, widths=(3, 8), depths=(1, 2))
STEREO = Architecture((40,), 2, 12, 6, 2, "values", octaves=5)
VOLUME = Architecture((4, 1, 5, 3), 1, 3, 6, 2, octaves=1)
ALL = {"grey": GREY, "colour": COLOUR, "heads": HEADS, "siren": SIREN, "supernet": SUPER, "stereo": STEREO, "volume": VOLUME}


def made(name: str, payload: bool = True) -> tuple[bytes, Signal, CodedNetwork]:
    """A file, what it is of, and its network."""
    kind = {"stereo": "audio", "volume": "array"}.get(name, "image")
    signal, coded = signal_of(ALL[name], kind), coded_of(ALL[name], gray=name == "heads")
    return file_of(signal, coded, payload), signal, coded


def expected(coded: CodedNetwork, signal: Signal, sizes: tuple[int, ...], extra: int = 0) -> np.ndarray:
    """What SPEC.md, section 17, says the network gives, as samples."""
    a = coded.network.architecture
    out = np.zeros((*sizes, a.channels), object)  # of int: there are values that no int64 holds
    for place in np.ndindex(*sizes):
        at = [coordinate(i, n) for i, n in zip(place, sizes, strict=True)]
        out[place] = values_alone(coded.network, coded.joint, coded.gray, at, extra)
    offset = int(signal.samples.min())
    return (out + (offset << extra)).reshape(*sizes, *signal.samples.shape[len(sizes) :])


def shown(data: bytes, **view: Any) -> np.ndarray:
    return views.render(data, View(**view), ONE).samples


# --- what the network alone says ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_native_size_is_the_decoded_signal(name: str) -> None:
    data, signal, _ = made(name)
    signal = Signal(signal.samples, signal.kind, signal.bit_depth, signal.sample_rate, {"text/Title": b"x"})
    data = file_of(signal, coded_of(ALL[name]))
    assert views.render(data, View(), ONE).equals(signal)
    assert views.render(data, View(sizes=ALL[name].sizes), ONE).equals(signal)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("payload", [True, False])
def test_the_network_alone_is_that_of_the_specification(name: str, payload: bool) -> None:
    data, signal, coded = made(name, payload)
    found = views.render(data, View(network_only=True), ONE)
    assert (found.samples == expected(coded, signal, ALL[name].sizes)).all()
    assert len(np.unique(found.samples)) > 1
    assert (found.kind, found.bit_depth, found.sample_rate) == (signal.kind, signal.bit_depth, signal.sample_rate)
    assert found.samples.dtype == signal.samples.dtype
    if not payload:
        assert (shown(data) == found.samples).all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("factor", [0.3, 2.0, 2.6])
def test_other_sizes(name: str, factor: float) -> None:
    data, signal, coded = made(name)
    factor = min(factor, 1.4) if name == "volume" else factor
    sizes = tuple(max(1, round(n * factor)) for n in ALL[name].sizes)
    assert (shown(data, sizes=sizes) == expected(coded, signal, sizes)).all()


def test_axes_of_one_place() -> None:
    """An axis that has one place in the file can have more, and the other way round."""
    data, signal, coded = made("volume")
    for sizes in ((1, 1, 1, 1), (2, 3, 1, 9)):
        assert (shown(data, sizes=sizes) == expected(coded, signal, sizes)).all()


def test_places_of_the_file_are_among_those_of_twice_as_many() -> None:
    for name in ("grey", "colour", "heads"):
        data, _, _ = made(name)
        twice = shown(data, sizes=(17, 13))
        assert (twice[::2, ::2] == shown(data, network_only=True)).all()


@settings(max_examples=40)
@given(architectures(most=4), st.integers(0, 2**32), st.data())
def test_any_network_can_be_asked_at_any_size(a: Architecture, seed: int, data: st.DataObject) -> None:
    a = replace(a, channels=1, levels=tuple(replace(x, features=1) if x.direct else x for x in a.levels))
    signal, coded = signal_of(a, "array"), coded_of(a, seed, gray=a.form != "values" and seed % 2 == 1)
    if signal.samples.size < 3:
        return
    coded = replace(coded, errors=(0,) * len(a.configurations))
    sizes = tuple(data.draw(st.integers(1, 3)) for _ in a.sizes)
    file = file_of(signal, coded, payload=data.draw(st.booleans()))
    assert (shown(file, sizes=sizes, network_only=True) == expected(coded, signal, sizes)).all()
    extra = data.draw(st.integers(0, min(4, 32 - a.bits) if a.bits < 32 else 0))
    most = 30 - a.bits if a.form == "values" else 0 if coded.gray or a.form != "siren" else a.bit_places - a.bits
    found = shown(file, sizes=sizes, network_only=True, bit_depth=a.bits + extra if a.bits <= 32 else 0)
    wanted = expected(coded, signal, sizes, min(extra, most))
    if extra > most:
        wanted = (wanted << (extra - most)) + (1 << (extra - most - 1))
    assert (found == wanted).all()


@pytest.mark.parametrize("network", ["heads", "siren"])
@pytest.mark.parametrize(
    "samples",
    [
        np.array([0, 2**64 - 1, 5, 2**63], np.uint64),
        np.array([-(2**63), 2**63 - 1, 5, -7], np.int64),
        np.array([2**63, 2**63 + 1, 2**64 - 1, 2**63 + 2], np.uint64),
        np.array([2**63, 2**63 + 2**61, 2**64 - 1, 2**63 + 2], ">u8"),
        np.array([-(2**31), 2**31 - 1, 5, -7], np.int32),
        np.array([0, 2**63], np.uint64),
    ],
    ids=["uint64", "int64", "offset", "big-endian", "int32", "step"],
)
def test_wide_samples(samples: np.ndarray, network: str) -> None:
    """Beyond what int64 holds."""
    low = int(samples.min())
    step = math.gcd(*(x - low for x in samples.tolist()))
    bits = ((int(samples.max()) - low) // step).bit_length()
    a = Architecture(samples.shape, 1, bits, 9, 2, network, octaves=2, bit_places=64 * (network == "siren"))  # type: ignore[arg-type]
    coded = coded_of(a)
    data = file_of(Signal(samples), coded)
    for sizes in (samples.shape, (11,)):
        values = [values_alone(coded.network, None, False, [coordinate(i, sizes[0])])[0] for i in range(sizes[0])]
        top = int(np.iinfo(samples.dtype).max)
        wanted = [min(low + step * v, top) for v in values]
        found = shown(data, sizes=sizes, network_only=True)
        assert found.tolist() == wanted
        assert found.dtype == samples.dtype


def test_samples_stay_within_their_depth() -> None:
    """A network may say more than offset + the largest value."""
    signal = Signal(np.array([[200, 201], [220, 255]], np.uint8), "image", 8)
    a = Architecture((2, 2), 1, 6, 5, 2, octaves=3)
    found = shown(file_of(signal, coded_of(a)), sizes=(20, 20))
    assert found.min() >= 200
    assert found.max() == 255


def fixed_network(a: Architecture) -> CodedNetwork:
    """A network whose integers no library chooses."""
    count = [0]

    def numbers(shape: tuple[int, ...], limit: int) -> np.ndarray:
        n = math.prod(shape)
        found = hash64(np.arange(count[0], count[0] + n, dtype=np.uint64), 7) % np.uint64(2 * limit + 1)
        count[0] += n
        return (found.astype(np.int64) - limit).reshape(shape)

    layers = []
    for i, (outputs, inputs) in enumerate(a.shapes):
        weights, is_last = numbers((outputs, inputs), 1000), i == len(a.shapes) - 1
        # where most sums lie: arguments of hidden layers below 2^14, logits about 0, means about the middle of their range
        size = 30 if is_last and a.form == "values" else 22 if is_last else 16
        peak = int(np.abs(weights).sum(axis=1).max()) * a.largest_input(i)
        bias = numbers((outputs,), 1 << 12) + (1 << 29) * (size == 30)
        layers.append(Layer(weights, bias * a.biased, 1 << 12, peak.bit_length() + 12 - size))
    cells = [Cells(numbers((x.cells(a.sizes), x.features), 60), 0 if x.direct else 1 << 12, 0 if x.direct else 14) for x in a.levels]
    joint, halvings = None, None
    if a.form == "values":
        factors = np.tril(numbers((a.channels, a.channels), 2000), -1)
        joint, halvings = Joint(np.arange(a.channels)[::-1].copy(), factors, np.full(a.channels, 64)), np.zeros(a.outputs, np.int64)
    return CodedNetwork(Network(a, [layers] * a.networks, cells, halvings), "uniform", 8, np.full(a.planes, 64, np.uint8), joint)


DIGESTS = {
    "grey": "70c03e1775322858",
    "colour": "f1af6bdc8a028e5c",
    "heads": "a81524f96b36b80c",
    "siren": "591235bcba8cc57c",
    "stereo": "4e5d41344f8a2b61",
    "filters": "bd03ffdbf300c16d",
    "normalized": "83e7ae4fc65b6736",
    "hashed": "45ce6a2f1f291478",
}
FIXED = ALL | {
    "filters": Architecture((9, 7), 2, 8, 6, 3, "values", "filters", scales=True),
    "normalized": Architecture((9, 7), 2, 8, 6, 3, "values", "recurrent", "gaussian", 3, colour=True, normalized=True),
    "hashed": Architecture((9, 7), 1, 8, 6, 1, "values", activation="gelu", levels=(Level(0, 2, 4), Level(2, 1))),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_renderings_are_the_same_on_every_machine(name: str) -> None:
    a = FIXED[name]
    data = file_of(signal_of(a, "audio" if name == "stereo" else "image"), fixed_network(a))
    found = shown(data, sizes=tuple(3 * n for n in a.sizes), bit_depth=a.bits + 3)
    assert len(np.unique(found)) > 9
    assert hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()[:16] == DIGESTS[name]


def test_threads_and_parts_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _, _ = made("colour")
    whole = shown(data, sizes=(50, 40))
    monkeypatch.setattr(views, "PART_PLACES", 90)
    monkeypatch.setattr(coding, "CHUNK_VALUES", 70)
    for threads in (1, 3):
        assert (views.render(data, View(sizes=(50, 40)), Options(threads=threads)).samples == whole).all()


# --- parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"network_only": True},
        {"sizes": (20, 11)},
        {"sizes": (20, 11), "bit_depth": 12},
        {"bit_depth": 12},
        {"bit_depth": 12, "fill": "network"},
        {"bit_depth": 9, "fill": "midpoint"},
        {"bit_depth": 12, "fill": "zero"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["colour", "heads", "siren"])
def test_a_region_is_a_part_of_the_whole(name: str, view: dict[str, Any]) -> None:
    data, _, _ = made(name)
    if view.get("fill") == "network" and name == "heads":
        pytest.skip("it says nothing of further bits")
    whole = shown(data, **view)
    for region in ((slice(0, 1), slice(0, 1)), (slice(3, 9), slice(2, 5)), (slice(8, 9), slice(0, 7)), (slice(0, 9), slice(0, 7))):
        assert (shown(data, region=region, **view) == whole[region]).all()


def test_the_public_function() -> None:
    data, _, _ = made("supernet")
    assert inrcodec.render(bytearray(data)).equals(inrcodec.decode(data))
    region = (slice(3, 9), slice(2, 5))
    asked: tuple[dict[str, Any], ...] = (
        {"sizes": [20, 11], "region": list(region)},
        {"bit_depth": 12, "fill": "zero"},
        {"network_only": True},
    )
    for view in asked:
        found = inrcodec.render(data, threads=1, **view)
        as_tuples: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in view.items()}
        assert found.equals(views.render(data, View(**as_tuples), ONE))
    assert (inrcodec.render(data, config=(1, 3)).samples == shown(data, config=(1, 3))).all()
    with pytest.raises(LimitError):
        inrcodec.render(data, sizes=(100, 100), max_samples=9999)
    with pytest.raises(TypeError, match="buffer"):
        inrcodec.render("photo.linr")  # type: ignore[arg-type]


def test_a_region_of_other_profiles() -> None:
    rng = np.random.default_rng(0)
    samples = np.cumsum(rng.integers(-3, 4, (40, 30, 3)), 0).astype(np.uint8)
    for profile in ("hybrid", "stored"):
        data = inrcodec.encode(samples, kind="image", profile=profile, effort=1)
        assert (shown(data) == samples).all()
        assert (shown(data, region=(slice(5, 9), slice(0, 30))) == samples[5:9]).all()


# --- depths -------------------------------------------------------------------------------------------------------


def of_profile(profile: str, signal: Signal) -> bytes:
    if profile != "inr":
        return inrcodec.encode(signal, profile=profile, effort=1)
    channels = signal.samples.shape[-1] if signal.channel_axis else 1
    sizes = signal.samples.shape[:-1] if signal.channel_axis else signal.samples.shape
    spread = int(signal.samples.max()) - int(signal.samples.min())
    return file_of(signal, coded_of(Architecture(sizes, channels, spread.bit_length(), 6, 1, "values", octaves=1)))


DEPTHS = {
    "8 bits": Signal(np.random.default_rng(0).integers(0, 256, (12, 11, 3)).astype(np.uint8), "image"),
    "5 bits": Signal(np.random.default_rng(0).integers(0, 32, (12, 11)).astype(np.uint8), "image", 5),
    "12 bits": Signal(np.random.default_rng(0).integers(99, 4096, (12, 11, 2)).astype(np.uint16), "image", 12),
    "bool": Signal(np.random.default_rng(0).random((12, 11)) < 0.5, "image"),
    "sound": Signal(np.random.default_rng(0).integers(-(2**15), 2**15, (150, 2)).astype(np.int16), "audio", 16, 8000),
    "8-bit sound": Signal(np.random.default_rng(0).integers(-9, 9, 150).astype(np.int8), "audio", 8, 8000),
    "volume": Signal(np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.uint8), "array", 7),
    "signed": Signal(np.random.default_rng(0).integers(-99, 99, (4, 5, 6)).astype(">i2"), "array", 9),
}


@pytest.mark.parametrize("fill", ["smooth", "network", "midpoint", "zero"])
@pytest.mark.parametrize("profile", ["inr", "hybrid", "stored"])
@pytest.mark.parametrize("name", DEPTHS)
def test_the_bits_of_the_file_stay(name: str, profile: str, fill: Any) -> None:
    signal = DEPTHS[name]
    try:
        data = of_profile(profile, signal)
    except UnsupportedError:
        pytest.skip("the profile does not code it")
    for depth in (signal.bit_depth + 1, signal.bit_depth + 5, min(32, signal.bit_depth + 16)):
        if fill == "network" and profile != "inr":
            with pytest.raises(UnsupportedError, match="says anything of further bits"):
                shown(data, bit_depth=depth, fill=fill)
            continue
        found = views.render(data, View(bit_depth=depth, fill=fill), ONE)
        extra = depth - signal.bit_depth
        assert (found.samples.astype(np.int64) >> extra == signal.samples.astype(np.int64)).all()
        low = found.samples.astype(np.int64) & ((1 << extra) - 1)
        if fill in ("midpoint", "zero"):
            assert (low == (1 << (extra - 1) if fill == "midpoint" else 0)).all()
        assert found.bit_depth == depth
        assert found.samples.dtype.kind == ("i" if signal.samples.dtype.kind == "i" else "u")
        assert (found.kind, found.sample_rate) == (signal.kind, signal.sample_rate)
    assert views.render(data, View(bit_depth=signal.bit_depth, fill=fill), ONE).equals(signal)


def test_the_network_says_the_bits_below() -> None:
    """Where it says another value than the file has, the nearest that the known bits leave."""
    for name, extra in (("grey", 7), ("siren", 6)):
        data, signal, coded = made(name)
        said = expected(coded, signal, ALL[name].sizes, extra)
        least = signal.samples.astype(np.int64) << extra
        wanted = np.clip(said, least, least + 2**extra - 1)
        assert (shown(data, bit_depth=ALL[name].bits + extra, fill="network") == wanted).all()


def test_a_siren_ends_at_its_bit_places() -> None:
    """Below them, the middle of what is known."""
    data, signal, coded = made("siren")
    found = shown(data, bit_depth=14, network_only=True)  # 5 + 6, and 3 more
    assert (found == (expected(coded, signal, SIREN.sizes, 6) << 3) + 4).all()


def test_a_network_of_gray_code_says_nothing_of_further_bits() -> None:
    a = replace(SIREN, bit_places=9)
    data = file_of(signal_of(a), coded_of(a, gray=True))
    with pytest.raises(UnsupportedError, match="says anything of further bits"):
        shown(data, bit_depth=8, fill="network")
    assert (shown(data, bit_depth=8, network_only=True) & 7 == 4).all()


# --- networks in a network ----------------------------------------------------------------------------------------


def test_each_network_of_a_supernet_can_be_asked() -> None:
    data, signal, coded = made("supernet")
    for layers, hidden in SUPER.configurations:
        part = replace(coded, network=coded.network.part(layers, hidden))
        found = shown(data, config=(layers, hidden), sizes=(6, 8))
        assert (found == expected(part, signal, (6, 8))).all()
    whole = shown(data, network_only=True)
    assert (shown(data, config=(2, 8)) == whole).all()
    assert (shown(data, config=(1, 3)) != whole).any()
    with pytest.raises(UnsupportedError, match="no network 3x8; it has 1x3, 2x3, 1x8, 2x8"):
        shown(data, config=(3, 8))
    grey, _, _ = made("grey")
    assert (shown(grey, config=(2, 5)) == shown(grey, network_only=True)).all()


@pytest.mark.parametrize("payload", [True, False])
def test_a_supernet_that_was_cut(payload: bool) -> None:
    """Wherever a file ends, it gives the largest network that is whole."""
    data, _, _ = made("supernet", payload)
    section = next(s.content for s in container.read(data) if s.type == b"NETW")
    start = data.index(section)
    ends = [p["bytes"] for p in inrcodec.info(data)["network"]["configurations"]]
    assert ends[-1] == start + len(section)
    each = [shown(data, config=c) for c in SUPER.configurations]
    for n in range(len(data)):
        there = sum(end <= n for end in ends)
        if n < ends[0] - 2 and n % 17:
            continue
        if there == 0:
            with pytest.raises(FormatError):
                shown(data[:n], network_only=True)
            continue
        assert (shown(data[:n], network_only=True) == each[there - 1]).all()
        for c, view in zip(SUPER.configurations[:there], each, strict=False):
            assert (shown(data[:n], config=c) == view).all()
        for c in SUPER.configurations[there:]:
            with pytest.raises(UnsupportedError, match="no network"):
                shown(data[:n], config=c)
        with pytest.raises(FormatError):
            inrcodec.decode(data[:n])
        with pytest.raises(FormatError, match="rendered alone"):
            shown(data[:n])


def test_any_file_with_a_whole_network_can_be_rendered_by_it() -> None:
    data, _, _ = made("colour")
    whole = shown(data, network_only=True)
    section = next(s.content for s in container.read(data) if s.type == b"NETW")
    end = data.index(section) + len(section)
    for n in (end + 4, end + 20, len(data) - 1):
        assert (shown(data[:n], network_only=True, sizes=COLOUR.sizes) == whole).all()
    for n in (end - 1, end - 50):
        with pytest.raises(FormatError):
            shown(data[:n], network_only=True)


@pytest.mark.parametrize(
    "data", [b"", b"no such file", inrcodec.encode(np.arange(9), profile="stored")[:-3]], ids=["empty", "other", "stored"]
)
def test_files_without_a_network_are_not_said_to_have_one(data: bytes) -> None:
    with pytest.raises(FormatError) as found:
        shown(data)
    assert "network" not in str(found.value)


@pytest.mark.parametrize("rate", [96_000, 8_000, 7_800, 400])
def test_a_rate_that_is_asked_for_is_written(rate: int) -> None:
    data, _, _ = made("stereo")
    found = views.render(data, View(sample_rate=rate), ONE)
    assert found.sample_rate == rate
    assert len(found.samples) == round(39 * rate / 8000) + 1
    assert (found.samples[0] == shown(data, network_only=True)[0]).all() or rate == 8000


def test_rates_that_cannot_be_rendered() -> None:
    with pytest.raises(UnsupportedError, match="40 frames are too few"):
        shown(made("stereo")[0], sample_rate=8001)
    for name, view in (("grey", {"sample_rate": 9}), ("stereo", {"sample_rate": 9, "sizes": (3,)})):
        with pytest.raises(UnsupportedError, match="is for sounds"):
            shown(made(name)[0], **view)


@pytest.mark.parametrize(
    "view", [{"region": (slice(0, 9, 2), slice(0, 7))}, {"region": ((0, 9), (0, 7))}, {"fill": "x"}, {"config": "1x8"}, {"config": (1,)}]
)
def test_views_that_cannot_be(view: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(view))):
        View(**view)


def test_sizes_have_a_limit() -> None:
    """With longer axes, coordinates would not fit in 64 bits."""
    with pytest.raises(UnsupportedError, match="too many"):
        shown(made("grey")[0], sizes=(1 << 40, 1), region=(slice(5, 6), slice(0, 1)))
    end = (1 << 36) - 1
    last = shown(made("grey")[0], sizes=(1 << 36, 1), region=(slice(end, end + 1), slice(0, 1)))
    assert (last == shown(made("grey")[0], sizes=(2, 1))[1]).all()


def test_samples_of_64_bits_have_no_other_depth() -> None:
    data = inrcodec.encode(np.array([[1, 2], [3, 2**40]], np.uint64), profile="stored")
    with pytest.raises(UnsupportedError, match="up to 32"):
        shown(data, bit_depth=32)


def test_a_smaller_network_is_made_once() -> None:
    """Each part of what is rendered asks it."""
    opened = codec.open_bytes(made("supernet")[0])
    with mock.patch.object(Network, "part", autospec=True, side_effect=Network.part) as part, mock.patch.object(views, "PART_PLACES", 7):
        views.render_opened(opened, View(config=(1, 3)), ONE)
    assert part.call_count == 1


def test_damage_behind_the_network_does_not_matter_to_it() -> None:
    data, _, _ = made("grey")
    whole = shown(data, network_only=True)
    broken = data[:-20] + b"\xff" + data[-19:]
    with pytest.raises(FormatError):
        shown(broken)
    assert (shown(broken, network_only=True) == whole).all()


# --- files that hold a network alone ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_lossy_file_has_no_samples(name: str) -> None:
    data, signal, _ = made(name, payload=False)
    full, _, _ = made(name)
    found, known = inrcodec.info(data), inrcodec.info(full)
    assert (found["lossless"], known["lossless"]) == (False, True)
    assert found["bytes"]["payload"] == 0
    assert found["network"] == known["network"]
    assert found["digest"] == known["digest"]
    calls: list[Callable[[], object]] = [
        lambda: inrcodec.decode(data),
        lambda: inrcodec.salvage(data),
        lambda: inrcodec.info(data, stages=True),
        lambda: codec.open_bytes(data).part(0, 1, ONE),
    ]
    if name == "stereo":
        calls.append(lambda: inrcodec.decode(data, start=0.001, duration=0.001))
    for call in calls:
        with pytest.raises(LossyError, match="not the samples") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert (shown(data) == shown(full, network_only=True)).all()
    more = View(bit_depth=signal.bit_depth + 2)
    assert (views.render(data, more, ONE).samples == shown(full, network_only=True, bit_depth=signal.bit_depth + 2)).all()


def test_a_lossy_file_is_checked() -> None:
    data, _, _ = made("grey", payload=False)
    for n in range(0, len(data), 5):
        with pytest.raises(FormatError):
            codec.open_bytes(data[:n])
    sections = container.read(data)
    tile = [*sections, container.Section(b"TILE", b"")]
    stored = [replace(s, content=bytes([0x80]) + s.content[1:]) if s.type == b"HEAD" else s for s in sections if s.type != b"NETW"]
    index = [replace(s, content=s.content + b"\x05") if s.type == b"TIDX" else s for s in sections]
    for broken, match in ((tile, "1 tiles and should have 0"), (stored, "profile says nothing"), (index, "too many")):
        with pytest.raises(FormatError, match=match):
            codec.open_bytes(container.write(broken))


def test_only_files_with_a_network_can_be_lossy() -> None:
    samples = np.random.default_rng(0).integers(0, 9, (9, 9)).astype(np.uint8)
    for options in ({"profile": "stored"}, {"profile": "hybrid"}, {"effort": 1}):
        with pytest.raises(UnsupportedError, match="always writes the samples"):
            inrcodec.encode(samples, kind="image", payload=False, **options)
    with pytest.raises(UnsupportedError, match="no network"):
        inrcodec.encode(np.full((9, 9), 3, np.uint8), profile="inr", payload=False)


# --- limits, stops, faults ----------------------------------------------------------------------------------------


def test_limits_are_checked_before_anything_is_computed() -> None:
    data, _, _ = made("colour")
    tracemalloc.start()
    try:
        for limits in ({"max_samples": 10**6}, {"max_memory": 10**6}, {}):
            size = (1 << 17, 1 << 17) if not limits else (1000, 2000)
            with pytest.raises(LimitError) as caught:
                views.render(data, View(sizes=size), Options(threads=1, **limits))  # type: ignore[arg-type]
            assert "\n" not in str(caught.value)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    part = View(sizes=(1000, 2000), region=(slice(500, 505), slice(0, 10)))
    assert views.render(data, part, Options(threads=1, max_samples=150)).samples.shape == (5, 10, 3)
    with pytest.raises(LimitError):
        views.render(data, part, Options(threads=1, max_samples=149))
    for view in (View(), View(network_only=True), View(bit_depth=12)):
        with pytest.raises(LimitError):
            views.render(data, view, Options(threads=1, max_samples=188))
        assert views.render(data, view, Options(threads=1, max_samples=189)).samples.size == 189


def test_rendering_takes_the_memory_that_is_told() -> None:
    data, _, _ = made("colour")
    view, options = View(sizes=(1500, 1200)), Options(threads=1)
    tracemalloc.start()
    try:
        views.render(data, view, options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with pytest.raises(LimitError):
        views.render(data, view, Options(threads=1, max_memory=peak - 1))
    views.render(data, view, Options(threads=1, max_memory=3 * peak))


def test_rendering_tells_how_far_it_is_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _, _ = made("grey")
    monkeypatch.setattr(views, "PART_PLACES", 100)
    seen: list[Progress] = []
    views.render(data, View(sizes=(40, 40)), Options(threads=1, progress=seen.append))
    assert {s.stage for s in seen} == {"rendering"}
    assert seen[-1].fraction == pytest.approx(1)
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 3

    with pytest.raises(Stopped):
        views.render(data, View(sizes=(40, 40)), Options(threads=1, stop=stop))
    assert 4 <= len(asked) <= 20  # parts that have begun ask too


@pytest.mark.parametrize(
    ("view", "match"),
    [
        ({"sizes": (9,)}, "2 coordinate axes, and 1 sizes"),
        ({"sizes": (9, 7, 3)}, "2 coordinate axes, and 3 sizes"),
        ({"region": (slice(0, 10), slice(0, 7))}, "does not lie inside 9 × 7"),
        ({"region": (slice(3, 3), slice(0, 7))}, "does not lie inside"),
        ({"region": (slice(-1, 3), slice(0, 7))}, "does not lie inside"),
        ({"region": (slice(0, 3),)}, "does not lie inside"),
        ({"sizes": (30, 30), "region": (slice(0, 31), slice(0, 30))}, "inside 30 × 30"),
        ({"bit_depth": 7}, "8 to 32"),
        ({"bit_depth": 33}, "8 to 32"),
        ({"config": (1, 5)}, "no network 1x5; it has 2x5"),
    ],
)
def test_views_that_do_not_fit_are_refused(view: dict[str, Any], match: str) -> None:
    data, _, _ = made("grey")
    with pytest.raises(UnsupportedError, match=match) as caught:
        shown(data, **view)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("profile", ["hybrid", "stored"])
@pytest.mark.parametrize("view", [{"network_only": True}, {"sizes": (20, 20)}, {"config": (1, 5)}])
def test_files_without_a_network_are_refused(profile: str, view: dict[str, Any]) -> None:
    data = inrcodec.encode(np.random.default_rng(0).integers(0, 9, (9, 9)).astype(np.uint8), kind="image", profile=profile, effort=1)
    with pytest.raises(UnsupportedError, match="only files of profile inr"):
        shown(data, **view)


# --- the command line ---------------------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


@pytest.fixture
def coded(tmp_path: Path) -> Callable[..., Path]:
    """What writes one of the files above."""

    def write(name: str, payload: bool = True) -> Path:
        path = tmp_path / f"{name}.linr"
        path.write_bytes(made(name, payload)[0])
        return path

    return write


def rendered(source: Path, *options: object, suffix: str = ".png") -> np.ndarray:
    """The samples that the command writes."""
    target = source.with_name(f"out{suffix}")
    result = run("render", source, "-o", target, "--force", *options)
    assert result.exit_code == 0, result.output
    return files.read(target).samples


def test_render_writes_what_the_package_gives(coded: Callable[..., Path]) -> None:
    source = coded("colour")
    data = source.read_bytes()
    assert (rendered(source) == inrcodec.decode(data).samples).all()
    assert (rendered(source, "--network-only") == shown(data, network_only=True)).all()
    assert (rendered(source, "--size", "20x30") == shown(data, sizes=(30, 20))).all()  # width x height
    assert (rendered(source, "--scale", "2.5") == shown(data, sizes=(22, 18))).all()
    assert (rendered(source, "--scale", "0.01") == shown(data, sizes=(1, 1))).all()
    assert (rendered(source, "--region", "3x2+1+4") == shown(data)[4:6, 1:4]).all()
    assert (rendered(source, "--scale", "2", "--region", "3x2+1+4") == shown(data, sizes=(18, 14))[4:6, 1:4]).all()
    assert (rendered(source, "--bit-depth", "16") == shown(data, bit_depth=16)).all()
    for fill in ("smooth", "network", "midpoint", "zero"):
        assert (rendered(source, "--bit-depth", "16", "--fill", fill) == shown(data, bit_depth=16, fill=fill)).all()
    assert (rendered(source, "--threads", "2", "--max-samples", "1k") == shown(data)).all()


def test_render_of_sounds(coded: Callable[..., Path]) -> None:
    source = coded("stereo")
    data = source.read_bytes()
    target = source.with_suffix(".wav")
    assert run("render", source, "-o", target, "--rate", "16000", "--bit-depth", "16").exit_code == 0
    found = files.read(target)
    assert found.sample_rate == 16000
    assert (found.samples == shown(data, sizes=(79,), bit_depth=16)).all()  # from the first frame to the last, at twice the rate
    assert run("render", source, "-o", target, "--size", "20", "--bit-depth", "16", "--force").exit_code == 0
    assert files.read(target).sample_rate == round(8000 * 19 / 39)
    assert (rendered(source, suffix=".npy") == shown(data)).all()
    for options in (("--region", "3x3+0+0"), ("--size", "9x9"), ("--fill", "grey")):
        result = run("render", source, "-o", source.with_name("not.npy"), *options)
        assert result.exit_code in (1, 2)
    assert not source.with_name("not.npy").exists()


def test_render_of_arrays(coded: Callable[..., Path]) -> None:
    source = coded("volume")
    assert (rendered(source, "--size", "2x3x4x5", suffix=".npy") == shown(source.read_bytes(), sizes=(2, 3, 4, 5))).all()


def test_render_of_networks_in_a_network(coded: Callable[..., Path], tmp_path: Path) -> None:
    source = coded("supernet")
    data = source.read_bytes()
    assert (rendered(source, "--config", "1x3") == shown(data, config=(1, 3))).all()
    text = run("info", source).output
    assert "network 1x3:" in text
    end = inrcodec.info(data)["network"]["configurations"][1]["bytes"]
    cut = tmp_path / "cut.linr"
    cut.write_bytes(data[:end])
    assert (rendered(cut, "--network-only") == shown(data, config=(2, 3))).all()
    assert (rendered(cut, "--config", "1x3", "--scale", "3") == shown(data, config=(1, 3), sizes=(27, 21))).all()
    target = tmp_path / "not.png"
    for options in ((), ("--config", "2x8"), ("--config", "2x8x1"), ("--config", "2"), ("--config", "x")):
        result = run("render", cut, "-o", target, *options)
        assert result.exit_code in (1, 2)
        assert not target.exists()
    assert run("decode", cut, "-o", target, "--network-only").exit_code == 0


def test_lossy_files_on_the_command_line(coded: Callable[..., Path], tmp_path: Path) -> None:
    source, target = coded("colour", payload=False), tmp_path / "out.png"
    for command in (
        ("decode", source, "-o", target),
        ("decode", source, "-o", target, "--salvage"),
        ("verify", source),
        ("info", source, "--stages"),
    ):
        result = run(*command)
        assert result.exit_code == 1
        assert result.output.count("\n") == 1
        assert "not the samples" in result.output
        assert str(source) in result.output
        assert not target.exists()
    assert run("decode", source, "-o", target, "--network-only").exit_code == 0
    assert (files.read(target).samples == shown(source.read_bytes())).all()
    assert json.loads(run("info", source, "--json").output)["lossless"] is False
    text = run("info", source).output
    assert "PSNR" in text
    assert rendered(source, "--scale", "2").shape == (18, 14, 3)


def test_a_lossy_file_is_encoded_on_the_command_line(tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "a.linr"
    y, x = np.mgrid[0:16, 0:16]
    Image.fromarray((8 * x + 7 * y).astype(np.uint8)).save(source)
    fit = ("--profile", "inr", "--steps", "60", "--threads", "1", "--no-payload", "--quiet")
    assert run("encode", source, "-o", target, "--until", "rate=8", *fit).exit_code == 0
    assert inrcodec.info(target.read_bytes())["lossless"] is False
    assert run("decode", target, "-o", tmp_path / "b.png").exit_code == 1
    assert run("render", target, "-o", tmp_path / "b.png").exit_code == 0
    result = run("encode", source, "-o", tmp_path / "not.linr", "--no-payload", "--profile", "stored")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert not (tmp_path / "not.linr").exists()


def test_a_plot_of_nothing_is_left_out_with_a_notice(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    source, target, plot = tmp_path / "a.png", tmp_path / "a.linr", tmp_path / "a.svg"
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(source)
    result = run("encode", source, "-o", target, "--profile", "inr", "--plot", plot)
    assert result.exit_code == 0
    assert "--plot" in result.stderr
    assert target.exists()
    assert not plot.exists()


def test_the_default_profile_refuses_to_leave_out_the_samples_before_it_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inrcodec.profiles.encode", lambda *_: pytest.fail("coded"))
    with pytest.raises(UnsupportedError, match=r"profile auto always writes the samples; .* profile inr"):
        inrcodec.encode(np.arange(64, dtype=np.uint8), payload=False)


@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("grey", ("--size", "9x9", "--scale", "2"), 2),
        ("grey", ("--scale", "2", "--rate", "9"), 2),
        ("grey", ("--size", "9"), 1),
        ("grey", ("--size", "9x9x9"), 1),
        ("grey", ("--size", "0x9"), 2),
        ("grey", ("--size", "9,9"), 2),
        ("grey", ("--scale", "0"), 2),
        ("grey", ("--scale", "nan"), 2),
        ("grey", ("--fill", "zero"), 2),
        ("grey", ("--fill", "zero", "--bit-depth", "9", "--network-only"), 2),
        ("grey", ("--scale", "4097"), 2),
        ("grey", ("--rate", "9"), 1),
        ("grey", ("--region", "9x9+0+0"), 1),
        ("grey", ("--region", "1x1+0+9"), 1),
        ("grey", ("--region", "0x1+0+0"), 2),
        ("grey", ("--region", "1x1"), 2),
        ("grey", ("--bit-depth", "7"), 1),
        ("grey", ("--bit-depth", "33"), 2),
        ("grey", ("--fill", "ones"), 2),
        ("grey", ("--config", "9x9"), 1),
        ("grey", ("--size", "99999x99999"), 1),
        ("grey", ("--size", "9999999999x9999999999"), 1),
        ("grey", ("--size", "100x100", "--max-samples", "9999"), 1),
        ("grey", ("--size", "1000x1000", "--max-memory", "1M"), 1),
        ("volume", ("--scale", "2"), 1),  # 4 axes are no picture
        ("heads", ("--bit-depth", "8", "--fill", "network"), 1),
    ],
)
def test_faults_are_one_line_and_leave_nothing(coded: Callable[..., Path], name: str, options: tuple[str, ...], status: int) -> None:
    source = coded(name)
    target = source.with_name("not.png")
    result = run("render", source, "-o", target, *options)
    assert result.exit_code == status, result.output
    if status == 1:
        assert result.output.count("\n") == 1
    assert result.output.rstrip().count("\nError: ") <= 1
    assert not target.exists()
    assert sorted(p.name for p in source.parent.iterdir()) == [source.name]


def test_render_does_not_overwrite(coded: Callable[..., Path]) -> None:
    source = coded("grey")
    target = source.with_name("there.png")
    target.write_bytes(b"x")
    assert run("render", source, "-o", target).exit_code == 1
    assert target.read_bytes() == b"x"
    assert run("render", source, "-o", source.with_suffix(".nothing")).exit_code != 0
    assert run("render", source, "-o", target, "--force").exit_code == 0
    assert run("render", source.with_name("missing.linr"), "-o", target, "--force").exit_code == 1
    for options in (("--salvage",), ("--start", "0")):
        assert run("decode", source, "-o", target, "--force", "--network-only", *options).exit_code == 2
