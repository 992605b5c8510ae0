"""Tiles that are coded elsewhere: the same bytes, the same samples, and faults as they are here."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import inrcodec
from inrcodec import FormatError, Signal, errors, parallel
from inrcodec.errors import InrcodecError, LossyError, MissingError, Stopped
from inrcodec.profiles.hybrid.sound import analysis
from inrcodec.profiles.inr import coding as inr_coding

RANDOM = np.random.default_rng(3)


class Away:
    """Does the work as another process would: all that goes there and comes back is pickled. groups: what was sent, each time."""

    def __init__(self, of: int = 2) -> None:
        self.of = of
        self.groups: list[int] = []

    def __call__(self, work: Callable[..., Any], items: Iterable[Any], count: int, tick: parallel.Tick) -> Iterator[Any]:
        items = list(items)
        assert len(items) == count
        self.groups.append(-(-count // self.of))
        for start in range(0, count, self.of):
            sent = pickle.loads(pickle.dumps((work, items[start : start + self.of])))
            found, done = pickle.loads(pickle.dumps(parallel.do_all(*sent)))
            tick(done)
            yield from found


def photo(height: int, width: int) -> Any:
    """(height, width, 3) uint8: slopes and noise."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([2 * x + y, x + y, x], -1).astype(np.uint8) + RANDOM.integers(0, 4, (height, width, 3), np.uint8)


def wavy(shape: tuple[int, ...]) -> Any:
    """Whole numbers on waves, with noise, float64."""
    grid = sum(np.sin(x / 5) for x in np.indices(shape))
    return np.round(9000 * grid + RANDOM.integers(-9, 9, shape))


def tone(frames: int) -> Signal:
    """A sound of two channels of 16 bits."""
    wave = 3000 * np.sin(np.arange(frames) / 9)[:, None] + RANDOM.integers(-9, 9, (frames, 2))
    return Signal(wave.astype(np.int16), "audio", sample_rate=8000)


def mixed(frames: int) -> Signal:
    """A sound that was mixed in floats: coarse steps, and fine bits below them."""
    wave = np.sin(np.arange(frames) / 11)[:, None] * 0.3 + RANDOM.normal(size=(frames, 2)) * 0.01
    return Signal(wave.astype(np.float32), "audio", sample_rate=8000)


CASES: dict[str, tuple[Callable[[], Signal], dict[str, Any]]] = {
    "picture": (lambda: Signal(photo(70, 90), "image"), {"tile": 32}),
    "picture, efforts above": (lambda: Signal(photo(40, 40), "image"), {"tile": 24, "effort": 4}),
    "stack": (lambda: Signal(photo(40, 40).transpose(2, 0, 1).copy(), "stack"), {"tile": 24}),
    "sound": (lambda: tone(5000), {}),
    "array": (lambda: Signal(wavy((40, 40, 9)).astype(np.int32), "array"), {"tile": 20, "profile": "hybrid"}),
    "floats": (lambda: Signal(wavy((40, 40)).astype(np.float32) / 7, "array"), {"tile": 20, "profile": "hybrid"}),
    "sound of floats": (lambda: mixed(6000), {}),
    "stored": (lambda: Signal(RANDOM.integers(0, 9, (1100, 1100), np.uint8), "array"), {"profile": "stored"}),
}


@pytest.mark.parametrize("case", CASES)
def test_bytes_and_samples_are_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "tile_frames", lambda frames, channels, rate: min(frames, 2048))
    make, options = CASES[case]
    signal, options = make(), {"effort": 1, "threads": 2} | options
    here, away, shares = inrcodec.encode(signal, **options), Away(1 if case == "stored" else 2), []
    with parallel.sending(away):
        there = inrcodec.encode(signal, **options, progress=lambda p: shares.append((p.stage, p.fraction)))
        assert there == here
        coded = len(away.groups)
        assert inrcodec.decode(here).equals(signal)
    assert coded > 0
    assert len(away.groups) == coded + 1
    assert max(away.groups) > 1
    for stage in {stage for stage, _ in shares}:
        assert [share for name, share in shares if name == stage][-1] == pytest.approx(0 if case == "stored" and stage == "coding" else 1)


def test_a_fitted_network_codes_tiles_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(inr_coding, "TILE_PLACES", 256)
    signal, away = Signal(photo(32, 40)[..., 0].copy(), "image"), Away()
    options: dict[str, Any] = {"profile": "inr", "steps": 3, "hidden": 16, "threads": 1}
    here = inrcodec.encode(signal, **options)
    with parallel.sending(away):
        assert inrcodec.encode(signal, **options) == here
    assert len(away.groups) == 2  # tiles, and those of the verification


def test_parts_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = Signal(photo(70, 90), "image")
    data = inrcodec.encode(signal, effort=1, tile=32)
    with parallel.sending(Away()):
        part = inrcodec.decode(data, region=(10, 20, 60, 45))
    assert np.array_equal(part.samples, signal.samples[20:65, 10:70])


def test_streams_of_bundles_are_sent_from_their_threads() -> None:
    arrays = {"a": RANDOM.integers(0, 9, (2000, 600), np.uint8), "b": np.arange(9)}
    here, away = inrcodec.encode_arrays(arrays, profile="stored", effort=1), Away()
    with parallel.sending(away):
        assert inrcodec.encode_arrays(arrays, profile="stored", effort=1) == here
    assert away.groups


@pytest.mark.parametrize("fault", [FormatError("damaged"), MissingError("this", ["a", "b"]), LossyError(), Stopped()])
def test_faults_of_other_processes_arrive(fault: Exception) -> None:
    again = pickle.loads(pickle.dumps(fault))
    assert type(again) is type(fault)
    assert str(again) == str(fault)


def test_every_error_can_be_pickled() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InrcodecError)]
    for kind in kinds:
        fault = kind.__new__(kind, "a line")
        fault.args = ("a line",)
        assert str(pickle.loads(pickle.dumps(fault))) == "a line"


def test_one_tile_stays_here() -> None:
    away = Away()
    with parallel.sending(away):
        inrcodec.decode(inrcodec.encode(photo(20, 20), effort=1))
    assert away.groups == []
    assert parallel.sent() is None


def test_damage_and_stops_end_the_work() -> None:
    data = bytearray(inrcodec.encode(photo(70, 90), effort=1, tile=32, verify=False))
    data[-200] ^= 255  # in the last tile
    with parallel.sending(Away()), pytest.raises(FormatError, match="damaged"):
        inrcodec.decode(bytes(data))
    with parallel.sending(Away()), pytest.raises(Stopped):
        inrcodec.encode(photo(70, 90), effort=1, tile=32, stop=lambda: True)
