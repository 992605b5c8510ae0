"""What `inrcodec.encode`, `decode` and `info` make of their arguments."""

from __future__ import annotations

import mmap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inrcodec
from inrcodec import FormatError, Notice, Signal

SOUND = np.arange(8000, dtype=np.int16)[:, None]


@pytest.fixture(scope="module")
def data() -> bytes:
    return inrcodec.encode(SOUND, kind="audio", sample_rate=8000, profile="stored")


def test_every_contiguous_buffer_is_taken(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(data)
    with (tmp_path / "a.linr").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        buffers: list[Any] = [data, bytearray(data), memoryview(data), mapped, np.frombuffer(data, np.uint8), memoryview(b"x" + data)[1:]]
        for given in buffers:
            assert np.array_equal(inrcodec.decode(given).samples, SOUND)
            assert inrcodec.info(given)["kind"] == "audio"
            assert inrcodec.decode(given, start=0.5).samples.shape == (4000, 1)


@pytest.mark.parametrize("given", ["a.linr", Path("a.linr"), None, 5, [1, 2], memoryview(b"abcd")[::2]])
def test_what_is_no_buffer_is_said(given: Any) -> None:
    for call in (inrcodec.decode, inrcodec.info):
        with pytest.raises(TypeError, match="data is "):
            call(given)
    with pytest.raises(FormatError, match="empty"):
        inrcodec.decode(memoryview(b""))


@pytest.mark.parametrize("name", ["start", "duration"])
def test_seconds_are_numbers(data: bytes, name: str) -> None:
    for wrong in ("1:30", b"1", True, [1], 1j):
        with pytest.raises(TypeError, match=f"{name} is .*; it must be a number of seconds"):
            inrcodec.decode(data, **{name: wrong})  # type: ignore[arg-type]
    for number in (np.float32(0.5), np.int64(0), 0):
        assert inrcodec.decode(data, **{name: number}).samples.size  # type: ignore[arg-type]
    for outside in (float("nan"), float("inf"), -1):
        with pytest.raises(ValueError, match=f"{name} is"):
            inrcodec.decode(data, **{name: outside})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"), [("kind", "array"), ("kind", "audio"), ("bit_depth", 16), ("sample_rate", 8000), ("metadata", {"text/a": b"b"})]
)
def test_a_signal_brings_its_own_meaning(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name}: the Signal has its own"):
        inrcodec.encode(Signal(SOUND, "audio", 16, 8000), profile="stored", **{name: value})


def notices(samples: Any, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        inrcodec.encode(samples, **options)
    return [str(w.message) for w in found if issubclass(w.category, Notice)]


def test_options_that_do_nothing_are_said() -> None:
    samples = np.arange(600, dtype=np.uint8).reshape(20, 30)
    for options in ({"profile": "stored"}, {"profile": "hybrid"}, {"profile": "auto", "effort": 1}):
        assert notices(samples, **options) == []
        for name, value in (("hidden", 8), ("omega", 3.0), ("until", "mdl"), ("network", "siren"), ("bits", 4), ("batch", 9)):
            (found,) = notices(samples, **options, **{name: value})
            assert found == f"without effect: {name} (no network of profile inr was fitted)"
        (found,) = notices(samples, **options, seed=3, weights="lsq")
        assert found.startswith("without effect: weights, seed (no network was fitted")
    calls: list[str] = []
    assert len(notices(samples, profile="stored", hidden=8, progress=lambda status: calls.append(status.stage))) == 1
    assert "decoding" in calls


def test_options_that_do_something_are_not_said() -> None:
    pytest.importorskip("torch")
    samples = np.arange(96, dtype=np.uint8).reshape(8, 12)
    fit = {"profile": "inr", "hidden": 8, "layers": 1, "steps": 2, "weights": "uniform", "bits": 8, "seed": 1, "until": "mdl"}
    assert notices(samples, **fit) == []
    assert notices(samples, **(fit | {"weights": "ternary"})) == ["without effect: bits (the network that was fitted has no use for it)"]
    assert notices(np.zeros((9, 9), np.uint8), **fit)[0].startswith("without effect: weights, bits, seed")


def picture(shape: tuple[int, ...], dtype: str = "u1") -> Any:
    """Noise over waves, whose last axis belongs together."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    noise = np.random.default_rng(0).normal(0, 2, shape[:2])
    wave = 120 + 60 * np.sin(y / 9) * np.cos(x / 7) + noise
    return (wave[..., None] + 5 * np.arange(shape[2])).astype(dtype)


def test_arrays_that_look_like_pictures_are_coded_as_such() -> None:
    samples = picture((60, 50, 3))
    by_default, as_array = inrcodec.encode(samples), inrcodec.encode(samples, kind="array")
    assert len(by_default) < len(as_array)
    assert by_default == inrcodec.encode(samples, kind="image")
    for found, kind in ((by_default, "image"), (as_array, "array")):
        back = inrcodec.decode(found)
        assert back.kind == kind
        assert (back.samples.shape, back.samples.dtype) == ((60, 50, 3), np.dtype("u1"))
        assert np.array_equal(back.samples, samples)


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (picture((8, 8, 4)), "image"),
        (picture((20, 30, 1), ">u2"), "image"),
        (picture((20, 30, 2), "u8"), "image"),
        (picture((20, 30, 3)) > 120, "image"),
        (picture((7, 30, 3)), "array"),
        (picture((30, 7, 3)), "array"),
        (picture((20, 30, 5)), "array"),
        (picture((20, 30, 3), "i2"), "array"),
        (picture((20, 30, 3), "u4") * np.uint32(1 << 20), "array"),
        (picture((20, 30, 3))[..., 0], "array"),
        (picture((20, 30, 3))[None], "stack"),
        (np.stack([picture((8, 9, 4))] * 2), "stack"),
        (np.stack([picture((8, 9, 3)) > 120] * 2), "stack"),
        (np.stack([picture((8, 9, 2))] * 2), "array"),
        (np.stack([picture((8, 7, 3))] * 2), "array"),
        (np.stack([picture((8, 9, 3), "i2")] * 2), "array"),
        (np.stack([picture((8, 9, 3), "u4")] * 2) * np.uint32(1 << 20), "array"),
        (np.arange(9), "array"),
    ],
)
def test_which_arrays_look_like_pictures(samples: Any, kind: str) -> None:
    data = inrcodec.encode(samples, effort=1)
    back = inrcodec.decode(data).samples
    assert inrcodec.info(data)["kind"] == kind
    assert (back.shape, back.dtype) == (samples.shape, samples.dtype)
    assert np.array_equal(back, samples)


@pytest.mark.parametrize("seed", range(3))
def test_what_only_looks_like_a_picture_is_not_larger(seed: int) -> None:
    g = np.random.default_rng(seed)
    noise = g.integers(0, 256, (40, 30, 3)).astype(np.uint8)
    planes = np.broadcast_to(g.integers(0, 256, (40, 1, 1)), (40, 30, 3)).astype(np.uint8)
    classes = g.integers(0, 4, (40, 30, 1)) == np.arange(4)
    for samples in (noise, planes, classes):
        assert len(inrcodec.encode(samples)) <= len(inrcodec.encode(samples, kind="array")) + 2


def test_names_come_on_demand() -> None:
    assert inrcodec.limits.Limits().max_samples
    assert inrcodec.files.types()
    assert {"Signal", "encode", "files"} <= set(dir(inrcodec))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        inrcodec.nothing  # noqa: B018
