"""The encoder cannot lie: a fault anywhere between the samples and the file is found by verification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import codec, container, values
from inrcodec.kernels import coder, mixer, tables
from inrcodec.options import Options
from inrcodec.profiles.hybrid.priors import shipped
from inrcodec.signal import Signal

HERE = Path(codec.__file__).parent / "known"
VECTORS = Path(__file__).parent.parent / "formats" / "vectors" / "subset"


def picture() -> Signal:
    y, x = np.mgrid[:20, :24]
    rng = np.random.default_rng(0)
    return Signal((5 * y + 3 * x + rng.integers(0, 9, (20, 24))).astype(np.uint8), "image")


def sound() -> Signal:
    t = np.arange(900)
    return Signal((3000 * np.sin(t / 9) + np.random.default_rng(0).normal(0, 30, 900)).astype(np.int16), "audio", 16, 8000)


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """What was proven in another test is proven again, and what this test breaks does not stay."""
    codec._decode_known.cache_clear()
    yield
    codec._decode_known.cache_clear()


def test_known_files_are_vectors() -> None:
    files = sorted(HERE.glob("*.linr"))
    assert files
    for file in files:
        assert file.read_bytes() == (VECTORS / file.name).read_bytes()


@pytest.mark.parametrize("signal", [picture(), sound()], ids=["picture", "sound"])
def test_a_good_machine_passes(signal: Signal) -> None:
    assert codec.decode(codec.encode(signal, Options(profile="hybrid"))).equals(signal)
    assert codec._decode_known.cache_info().currsize > 0


@pytest.mark.parametrize("name", ["sine", "gelu", "squash", "exp2_fractions", "log2_mantissas", "sigmoids"])
@settings(max_examples=5)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 14))
def test_a_flipped_bit_in_a_table_is_found(name: str, place: int, bit: int) -> None:
    table: Any = getattr(tables, name)()
    table.setflags(write=True)
    before = table.flat[place % table.size]
    table.flat[place % table.size] ^= 1 << bit
    try:
        with pytest.raises(inrcodec.InrcodecError, match=f"{name} table has changed"):
            codec.encode(picture(), Options(profile="hybrid", effort=1))
    finally:
        table.flat[place % table.size] = before
        table.setflags(write=False)
    codec.encode(picture(), Options(profile="hybrid", effort=1))


def test_a_changed_prior_is_found() -> None:
    codec.encode(picture(), Options(profile="hybrid"))
    _, networks = shipped.SHELF.load(shipped.CURRENT[48])
    weights = networks["fills0" if "fills0" in networks else next(iter(networks))]
    before = weights[7]
    weights[7] = before + np.float32(2.0**-12)
    try:
        with pytest.raises(inrcodec.InrcodecError, match="changed in memory"):
            codec.encode(picture(), Options(profile="hybrid"))
    finally:
        weights[7] = before


def test_a_kernel_that_computes_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that encoder and decoder share is changed: the file comes back, but only here."""
    true = mixer.mixer

    def other(*arguments: Any) -> Any:
        made = true(*arguments)
        made.weights[...] *= np.float32(1.25)
        return made

    monkeypatch.setattr(mixer, "mixer", other)
    with pytest.raises(inrcodec.InrcodecError, match="does not compute as the format demands"):
        codec.encode(picture(), Options(profile="hybrid"))
    data = codec.encode(picture(), Options(profile="hybrid", verify=False))
    monkeypatch.setattr(mixer, "mixer", true)
    with pytest.raises(inrcodec.FormatError, match="damaged"):
        codec.decode(data)


def test_decoding_tells_a_wrong_machine_from_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.encode(picture(), Options(profile="hybrid"))
    codec._decode_known.cache_clear()
    true = mixer.mixer
    monkeypatch.setattr(mixer, "mixer", lambda *a: true(*a)._replace(weights=true(*a).weights * np.float32(1.5)))
    with pytest.raises(inrcodec.InrcodecError, match="this machine does not compute"):
        codec.decode(data)


@pytest.mark.parametrize("profile", ["hybrid", "stored"])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=25)
def test_a_flipped_bit_in_the_stream_is_found(profile: str, place: int, bit: int) -> None:
    true = container.write

    def flipped(sections: Any) -> bytes:
        made = list(sections)
        i = next(i for i, section in enumerate(made) if section.type == b"TILE")
        content = bytearray(made[i].content)
        content[place % len(content)] ^= 1 << bit
        made[i] = container.Section(b"TILE", bytes(content))
        return true(made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "write", flipped)
        data = None
        with suppress(inrcodec.InrcodecError):
            data = codec.encode(picture(), Options(profile=profile, effort=1))
        if data is not None:  # the changed bytes are another way to write the same: the last bits of a string hardly matter
            assert codec.decode(data).equals(picture())


@pytest.mark.parametrize("profile", ["hybrid", "stored"])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 6))
@settings(max_examples=25)
def test_a_flipped_bit_in_the_values_is_found(profile: str, place: int, bit: int) -> None:
    true = values.to_values

    def flipped(samples: Any) -> Any:
        found, value_map = true(samples)
        found = found.copy()
        found.flat[place % found.size] ^= 1 << bit
        return found, value_map

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "to_values", flipped)
        with pytest.raises(inrcodec.InrcodecError):
            codec.encode(picture(), Options(profile=profile, effort=1))


def test_a_fault_of_the_coder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true = coder.finish_encoding
    monkeypatch.setattr(coder, "finish_encoding", lambda *a: true(*a)[:-3])
    with pytest.raises(inrcodec.InrcodecError, match="verification failed"):
        codec.encode(sound(), Options(profile="hybrid", effort=1))


def test_without_verification_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What --no-verify gives up."""
    true = coder.finish_encoding
    monkeypatch.setattr(coder, "finish_encoding", lambda *a: true(*a)[:-3])
    data = codec.encode(sound(), Options(profile="hybrid", effort=1, verify=False))
    monkeypatch.setattr(coder, "finish_encoding", true)
    with pytest.raises(inrcodec.FormatError):
        codec.decode(data)
