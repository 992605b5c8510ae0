"""Signal ↔ .linr: exact round trips, the floor, damage, tiles, threads."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from inrcodec import FormatError, Signal, UnsupportedError, codec, compact, container, header
from inrcodec.container import Section
from inrcodec.kernels.architecture import Architecture
from inrcodec.kernels.inr import Layer, Network
from inrcodec.options import Options
from inrcodec.profiles import stored
from inrcodec.values import value_type
from inrcodec.weights import network
from inrcodec.weights.network import CodedNetwork

from .test_values import DTYPES, arrays

FAST: dict[str, Any] = {"profile": "inr", "hidden": 8, "layers": 1, "steps": 2, "weights": "uniform", "bits": 8}
METADATA = st.dictionaries(st.text(min_size=1, max_size=8), st.binary(max_size=20), max_size=3)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """Any signal that there can be, small."""
    kind = draw(st.sampled_from(["image", "audio", "array"]))
    metadata = draw(METADATA)
    if kind == "array":
        return Signal(draw(arrays()), "array", metadata=metadata)
    if kind == "image":
        depth = draw(st.integers(1, 16))
        dtype = np.dtype("u1" if depth <= 8 else "u2")
        shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)) + draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
        samples = draw(hnp.arrays(dtype, shape, elements=st.integers(0, 2**depth - 1)))
        return Signal(samples, "image", depth, metadata=metadata)
    depth = draw(st.sampled_from([8, 12, 16, 20, 24, 32]))
    signed = np.dtype("i1" if depth <= 8 else "i2" if depth <= 16 else "i4")
    shape = draw(st.sampled_from([(5,), (1, 1), (7, 2), (3, 8)]))
    samples = draw(hnp.arrays(signed, shape, elements=st.integers(-(2 ** (depth - 1)), 2 ** (depth - 1) - 1)))
    return Signal(samples, "audio", depth, draw(st.integers(1, 2**32 - 1)), metadata)


@given(signals())
def test_stored_round_trip(signal: Signal) -> None:
    data = inrcodec.encode(signal, profile="stored", verify=False)
    assert inrcodec.decode(data).equals(signal)
    overhead = next((s.size for s in compact.sections_of(data) if s.type == b"meta"), 0)
    assert len(data) <= signal.raw_bytes + 256 + overhead


NETWORKS: dict[str, dict[str, Any]] = {
    "default": {},
    "mdl": {"until": "mdl"},
    "mse": {"loss": "mse"},
    "octaves": {"octaves": 2},
    "mlp": {"body": "mlp"},
    "recurrent": {"body": "recurrent", "layers": 2},
    "filters": {"body": "filters", "layers": 2},
    "gaussian": {"activation": "gaussian", "until": "mdl"},
    "colour": {"colour": True},
    "colour, mlp": {"colour": True, "body": "mlp"},
    "supernet": {"supernet": "1,2x3,6", "hidden": 0, "layers": 0},
    "heads": {"network": "heads"},
    "heads, grid": {"network": "heads", "body": "grid"},
    "heads, colour": {"network": "heads", "colour": True, "until": "mdl"},
    "siren": {"network": "siren"},
    "siren, more bit places": {"network": "siren", "bit_places": 64},
    "bitlinear": {"network": "bitlinear"},
    "sinr": {"weights": "sinr", "bits": 0},
    "ternary": {"weights": "ternary", "bits": 0, "body": "filters"},
}


@settings(max_examples=60)
@given(signals(), st.sampled_from(list(NETWORKS)))
@pytest.mark.filterwarnings("ignore:without effect")
def test_inr_round_trip(signal: Signal, network: str) -> None:
    """An unfitted network is as exact as a fitted one, only larger."""
    data = inrcodec.encode(signal, verify=False, **{**FAST, **NETWORKS[network]})
    assert inrcodec.decode(data).equals(signal)


@pytest.mark.parametrize("bits", [1, 8, 54, 64])
def test_an_error_in_the_last_bit_counts(bits: int) -> None:
    """Also of values that no float64 holds: a network without errors may do without a payload."""
    from inrcodec.profiles.inr import coding

    a = Architecture((2,), 1, bits, 1, 1)
    layers = [Layer(np.zeros(s, np.int64), np.full(s[0], 99), 0, 0) for s in a.shapes]  # all bits are 1
    coded = CodedNetwork(Network(a, [layers]), "uniform", 8, np.full(bits, 64, np.uint8))
    for wrong in (0, 1):
        values = np.array([[2**bits - 1], [2**bits - 1 - wrong]], value_type(bits))
        _, found = coding.encode_tile(coded, values, (slice(0, 2),), (2,), lambda _: None)
        told = coding.with_errors(coded, values, found)
        assert told.errors == (1 << 23 if bits == 1 and wrong else 128 if wrong else 0,)
        assert told.distances == ((1 << 23 if wrong else 0,) if bits == 1 else ())


def test_a_network_with_every_value_needs_no_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec.profiles.inr import coding

    monkeypatch.setattr(coding, "TILE_PLACES", 100)
    samples = np.random.default_rng(0).integers(0, 99, (30, 20)).astype(np.uint8)
    data = inrcodec.encode(samples, kind="image", **FAST)
    sections = compact.sections_of(data)
    tiles = [s for s in sections if s.type == b"TILE"]
    assert len(tiles) > 4
    assert not any(s.content for s in tiles)
    assert (inrcodec.decode(data).samples == samples).all()
    opened = codec.open_bytes(data)
    assert (opened.part(3, 5, Options(threads=1)) == samples[3:5]).all()
    more = [replace(s, content=b"\0") if s.type == b"TILE" else s for s in sections]
    with pytest.raises(FormatError):  # nor may there be any: here not even the index agrees
        inrcodec.decode(container.write(more))
    with pytest.raises(FormatError, match="gives every value"):
        opened.decoder.decode_tile(opened.layout.box(0), b"\0")
    content = next(s.content for s in sections if s.type == b"NETW")
    at = len(network._write_architecture(opened.decoder.coded().network.architecture, False)) + 2  # type: ignore[attr-defined]
    assert content[at] == 0
    wrong = [replace(s, content=content[:at] + b"\1" + content[at + 1 :]) if s.type == b"NETW" else s for s in sections]
    with pytest.raises(FormatError):  # the error says that there is a payload
        inrcodec.decode(container.write(wrong))


@pytest.mark.parametrize("shape", [(1,), (50_000,), (300, 200, 3), (40, 30, 20, 2)])
def test_noise_is_never_larger_than_raw(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 2**16, shape).astype(np.uint16)
    data = inrcodec.encode(noise, effort=1)
    assert len(data) <= noise.nbytes + 256
    assert same(inrcodec.decode(data).samples, noise)


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_depth_packs(bits: int) -> None:
    noise = np.random.default_rng(bits).integers(0, 2**bits, (64, 64)).astype(np.uint8 if bits <= 8 else np.uint16)
    signal = Signal(noise, "image", bits)
    data = inrcodec.encode(signal, effort=1)
    assert len(data) <= signal.raw_bytes + 256
    assert inrcodec.decode(data).equals(signal)


def test_auto_takes_hybrid_for_pictures() -> None:
    """Planes of a ramp along one axis, far from byte-aligned repeats."""
    y, x = np.mgrid[0:96, 0:96] / 96
    smooth = (255 * (0.5 + 0.5 * np.sin(7 * x + 3 * y * y)) > 127).astype(np.uint8) * 5 + (np.hypot(x - 0.4, y - 0.6) < 0.3)
    data = inrcodec.encode(smooth.astype(np.uint8), effort=1)
    assert inrcodec.info(data)["profile"] == "hybrid"
    assert same(inrcodec.decode(data).samples, smooth.astype(np.uint8))


def test_auto_keeps_what_is_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec.fit import search

    samples = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    calls = []

    def pretend(values: Any, bits: int, options: Options, size: int, peak: float) -> Any:
        calls.append(size)
        return search.fit_network(values, bits, Options(**FAST))

    monkeypatch.setattr(search, "fit_if_smaller", pretend)
    assert inrcodec.info(inrcodec.encode(samples, steps=1))["profile"] == "stored"  # the network was larger
    assert calls


def test_tiles_decode_alone_and_in_any_order() -> None:
    samples = np.cumsum(np.random.default_rng(0).integers(-3, 4, (1500, 900)), axis=1).astype(np.int16)
    data = inrcodec.encode(samples, profile="stored", effort=1)
    opened = codec.open_bytes(data)
    assert opened.layout.tiles == 2
    values = opened.decoder.decode_tile(opened.layout.box(1), opened.tile(1))
    assert (values[..., 0] + np.uint64(opened.header.value_map.offset % 2**64)).astype(np.int16).tolist() == samples[
        opened.layout.box(1)
    ].tolist()


def test_inr_tiles_see_the_whole_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec.profiles.inr import coding as inr

    samples = np.random.default_rng(0).integers(0, 9, (30, 20)).astype(np.uint8)
    monkeypatch.setattr(inr, "TILE_PLACES", 100)
    monkeypatch.setattr(inr, "CHUNK_VALUES", 64)
    data = inrcodec.encode(samples, **FAST)
    assert inrcodec.info(data)["tiles"]["count"] > 4
    monkeypatch.undo()
    assert same(inrcodec.decode(data).samples, samples)


def test_threads_do_not_change_the_file() -> None:
    samples = np.random.default_rng(0).integers(0, 100, (2100, 600)).astype(np.uint8)
    files = {inrcodec.encode(samples, threads=n, profile="stored") for n in (1, 2, 4)}
    assert len(files) == 1
    data = files.pop()
    assert all(same(inrcodec.decode(data, threads=n).samples, samples) for n in (1, 2, 4))


def test_threads_do_not_change_what_a_network_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec.profiles.inr import coding as inr

    samples = np.random.default_rng(0).integers(0, 100, (60, 50)).astype(np.uint8)
    monkeypatch.setattr(inr, "TILE_PLACES", 500)
    data = inrcodec.encode(samples, **FAST)
    opened = codec.open_bytes(data)
    assert isinstance(opened.decoder, inr.Decoder)
    values = (samples - samples.min())[..., None].astype(np.uint64)
    for n in (1, 2, 4):
        assert inr.encode_with(opened.decoder.coded(), values, Options(threads=n))[2] == opened.tiles
        assert same(inrcodec.decode(data, threads=n).samples, samples)


def test_what_numpy_would_hide_is_refused() -> None:
    masked = np.ma.array([1, 2, 3], mask=[False, True, False])
    with pytest.raises(UnsupportedError, match="MaskedArray"):
        inrcodec.encode(masked)
    for bad in ({"icc": 5}, {"icc": "text"}, {5: b""}, {"\ud800": b""}):
        with pytest.raises(UnsupportedError, match="metadata"):
            inrcodec.encode(np.zeros(3, np.uint8), metadata=bad)  # type: ignore[arg-type]
    for rate in (44100.0, "44100", True):
        with pytest.raises(UnsupportedError, match="sample rate"):
            inrcodec.encode(np.zeros(3, np.int16), kind="audio", sample_rate=rate)  # type: ignore[arg-type]
    for data in (None, 5, "text"):
        with pytest.raises(TypeError, match="bytes"):
            inrcodec.decode(data)  # type: ignore[arg-type]


def test_signal_checks() -> None:
    for bad in (
        np.zeros((3, 0), np.uint8),
        np.zeros((), np.uint8),
        np.zeros((1,) * 5, np.uint8),
        np.zeros(3, np.longdouble),
        np.zeros(3, "M8[s]"),
    ):
        with pytest.raises(UnsupportedError):
            Signal(bad)
    for kind, shape, dtype in (
        ("image", (3,), "u1"),
        ("image", (3, 3, 65), "u1"),
        ("stack", (3, 3), "u1"),
        ("stack", (3, 3, 3, 65), "u1"),
        ("audio", (3, 9), "i2"),
        ("audio", (3,), "c8"),
    ):
        with pytest.raises(UnsupportedError):
            Signal(np.zeros(shape, dtype), kind, sample_rate=8000 if kind == "audio" else None)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="sample rate"):
        Signal(np.zeros((3, 1), np.int16), "audio")
    with pytest.raises(UnsupportedError, match="fit in 4 bits"):
        Signal(np.full((3, 3), 16, np.uint8), "image", 4)


@pytest.mark.parametrize(
    "bad",
    [
        {"effort": 0},
        {"effort": True},
        {"profile": "best"},
        {"bits": 1},
        {"bits": 4.0},
        {"threads": -1},
        {"weights": "float"},
        {"omega": float("nan")},
        {"learning_rate": float("inf")},
        {"seed": 2**63},
        {"seed": "1"},
        {"hidden": 2.5},
        {"layers": 33},
        {"stop": True},
    ],
)
def test_options_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        inrcodec.encode(np.zeros(3, np.uint8), **bad)


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_files() -> list[bytes]:
    samples = np.random.default_rng(0).integers(0, 50, (9, 7, 3)).astype(np.uint8)
    signal = Signal(samples, "image", 8, metadata={"text/Title": b"x" * 50})
    return [
        inrcodec.encode(signal, profile="stored"),
        *(inrcodec.encode(signal, network=n, **FAST) for n in ("heads", "siren", "bitlinear")),
    ]


def test_random_damage_is_refused(small_files: list[bytes]) -> None:
    rng = np.random.default_rng(0)
    for data in small_files:
        for i in rng.integers(0, len(data), 60).tolist():
            damaged = bytearray(data)
            damaged[i] ^= 1 << int(rng.integers(0, 8))
            with pytest.raises(FormatError):
                inrcodec.decode(bytes(damaged))


def test_damage_behind_a_right_checksum_is_refused(small_files: list[bytes]) -> None:
    """Whatever a section says, the answer is the samples or a FormatError, never another exception."""
    rng = np.random.default_rng(1)
    for data in small_files:
        sections = compact.sections_of(data)
        original = inrcodec.decode(data)
        for _ in range(300):
            n = int(rng.integers(0, len(sections)))
            content = bytearray(sections[n].content)
            for _ in range(int(rng.integers(1, 4))):
                if content:
                    content[int(rng.integers(0, min(len(content), 60)))] = int(rng.integers(0, 256))
            if rng.random() < 0.2:
                content = content[: int(rng.integers(0, len(content) + 1))]
            damaged = [Section(s.type, bytes(content)) if i == n else s for i, s in enumerate(sections)]
            head = next(s.content for s in damaged if s.type == b"HEAD")
            try:
                if math.prod(header.read_header(head).shape) > 10**7:
                    continue  # a large shape is valid; not worth the memory here
            except FormatError:
                pass
            try:
                found = inrcodec.decode(container.write(damaged))
            except FormatError:
                continue
            assert (found.samples == original.samples).all()


def test_sections_of_the_future(small_files: list[bytes]) -> None:
    sections = compact.sections_of(small_files[0])
    original = inrcodec.decode(small_files[0])
    assert inrcodec.decode(container.write([*sections, Section(b"newx", b"?")])).equals(original)
    with pytest.raises(FormatError, match="NEWX"):
        inrcodec.decode(container.write([*sections, Section(b"NEWX", b"?")]))
    with pytest.raises(FormatError, match="twice"):
        inrcodec.decode(container.write([*sections, sections[0]]))
    with pytest.raises(FormatError, match="lacks"):
        inrcodec.decode(container.write(sections[1:]))
    with pytest.raises(FormatError, match="tiles"):
        inrcodec.decode(container.write([s for s in sections if s.type != b"TILE"]))


def test_an_unknown_profile_is_named(small_files: list[bytes]) -> None:
    sections = compact.sections_of(small_files[0])
    head = bytes([55]) + sections[0].content[1:]
    with pytest.raises(FormatError, match="profile 55"):
        inrcodec.decode(container.write([Section(b"HEAD", head), *sections[1:]]))


def test_info_adds_up(small_files: list[bytes]) -> None:
    for data in small_files:
        found = inrcodec.info(data)
        assert sum(found["bytes"].values()) == found["file_bytes"] == len(data)
        assert found["bits_per_pixel"] == pytest.approx(8 * len(data) / 63)
        assert found["raw_bytes"] == 189
        assert found["metadata"] == {"text/Title": 50}
        assert (found["weights"] is None) == (found["profile"] == "stored")
        if found["weights"]:
            w = found["weights"]
            assert w["bits_per_parameter"] * w["parameters"] / 8 <= found["bytes"]["weights"]


@pytest.mark.parametrize("dtype", DTYPES)
def testdtype_bytes_round_trip(dtype: str) -> None:
    found, bfloat16 = header._dtype_of(header.dtype_byte(np.dtype(dtype)))
    assert not bfloat16
    assert found == np.dtype(dtype)
    assert found.str == np.dtype(dtype).str


class OnBigEndian:
    """The dtype of NumPy on a big-endian machine, as far as section HEAD asks: what is native there has the byte order "=", told as ">"."""

    def __init__(self, text: str) -> None:
        self.str = text.replace("=", ">")
        self.kind, self.itemsize = text[1], int(text[2:])
        self.byteorder = self.str[0].replace(">", "=")

    def newbyteorder(self, order: str) -> OnBigEndian:
        return OnBigEndian(order + self.str[1:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnBigEndian) and self.str == other.str


@pytest.mark.parametrize("dtype", DTYPES)
def testdtype_bytes_round_trip_on_a_big_endian_machine(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    """Else the digest of what samples mean would be another there."""
    byte = header.dtype_byte(np.dtype(dtype))
    monkeypatch.setattr(header, "np", SimpleNamespace(dtype=OnBigEndian))
    assert header.dtype_byte(*header._dtype_of(byte)) == byte


def test_verification_catches_a_wrong_file(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stored.encode_tile
    monkeypatch.setattr(stored, "encode_tile", lambda values, bits, quality: real(values ^ np.uint64(1), bits, quality))
    with pytest.raises(inrcodec.InrcodecError):
        inrcodec.encode(np.arange(100, dtype=np.uint8), profile="stored")
    inrcodec.encode(np.arange(100, dtype=np.uint8), profile="stored", verify=False)


def test_bools_of_other_bytes_are_true() -> None:
    """NumPy takes every byte but 0 for True, and Pillow makes such arrays of its black-and-white images."""
    samples = np.array([[0, 255, 3], [1, 0, 0]], np.uint8).view(bool)
    for kind in ("image", "array"):
        assert np.array_equal(inrcodec.decode(inrcodec.encode(samples, kind=kind)).samples, samples)
    assert np.array_equal(inrcodec.decode_arrays(inrcodec.encode_arrays({"a": samples[:1, 1]}))["a"], samples[:1, 1])
