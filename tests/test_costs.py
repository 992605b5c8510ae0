"""The bits that each place took: they add up to the file, and lie where the signal is hard to predict, the right way round."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import inrcodec
from inrcodec import FormatError, LimitError, LossyError, Signal, UnsupportedError, codec, figures, known, profiles
from inrcodec.cli import main
from inrcodec.costs import Costs, costs
from inrcodec.options import Options
from inrcodec.profiles.base import Subject, ignore
from inrcodec.profiles.hybrid import turned
from inrcodec.profiles.hybrid.arrays import analysis, brick, mirror
from inrcodec.profiles.hybrid.pictures import coding as pictures
from inrcodec.values import to_values
from tests.test_bricks import float_arrays, integer_arrays
from tests.test_conformance import MANIFEST, VECTORS
from tests.test_hybrid import converted, photo

Array = npt.NDArray[Any]
END = 100  # bits: of a stream, what its end takes and the zeros that are left out there differ by less
VALID = [entry["file"] for entry in MANIFEST if "invalid" not in entry and "lossy" not in entry][::16]
KNOWN = sorted(path.name for path in resources.files(known).iterdir() if path.name.endswith(".linr"))


def checked(data: bytes) -> Costs:
    """The costs of a file, which add up to all its bits."""
    found, opened = costs(data, Options(threads=1)), codec.open_bytes(data)
    assert found.places.dtype == np.float32
    assert found.places.shape == opened.layout.axes
    assert (found.places >= 0).all()
    total = float(found.places.sum(dtype=np.float64))
    assert total + found.overhead == pytest.approx(8 * len(data), rel=1e-5)
    for name, bits in found.planes:
        assert name in opened.planes
        assert bits.shape == found.places.shape
        assert bits.any()
    assert sum(float(bits.sum(dtype=np.float64)) for _, bits in found.planes) == pytest.approx(total, rel=1e-5, abs=1e-3)
    assert total <= 8 * sum(len(opened.tile(i)) for i in range(opened.layout.tiles)) + END * opened.layout.tiles * (len(opened.planes) + 9)
    return found


def with_noise(shape: tuple[int, ...], dtype: Any, channels: int = 0, depth: int = 8) -> tuple[Array, tuple[slice, ...]]:
    """Something even, (*shape[, channels]), with noise in a box that lies near one corner; and that box."""
    box = tuple(slice(n * (1 + axis % 2) // 10, n * (4 + axis % 2) // 10) for axis, n in enumerate(shape))
    samples = np.full((*shape, channels) if channels else shape, 7, dtype)
    samples[box] += np.random.default_rng(0).integers(0, 1 << (depth - 1), samples[box].shape).astype(dtype)
    return samples, box


def check_box(places: Array, box: tuple[slice, ...]) -> None:
    """Check that most bits lie in a box. None would if an axis were turned round."""
    assert places[box].sum() > 0.7 * places.sum()


@pytest.mark.parametrize(
    ("shape", "dtype", "more"),
    [
        ((60, 50), "u1", {"kind": "image", "effort": 1}),
        ((60, 50), "u1", {"kind": "image", "effort": 3}),
        ((60, 50), "u1", {"kind": "image", "channels": 3}),
        ((60, 50), "u1", {"kind": "image", "channels": 4, "effort": 1, "tile": 16}),
        ((40, 50), "u2", {"kind": "image", "depth": 14}),
        ((60, 50), "u1", {"kind": "image", "depth": 2}),
        ((5, 30, 40), "u1", {"kind": "stack", "effort": 2}),
        ((5, 30, 40), "u1", {"kind": "stack", "channels": 3, "effort": 1}),
        ((3000,), "i2", {"kind": "audio", "sample_rate": 8000, "effort": 1}),
        ((3000,), "i2", {"kind": "audio", "sample_rate": 8000, "channels": 2, "effort": 2}),
        ((3000,), "i4", {"effort": 1}),
        ((50, 60), "u4", {"effort": 1}),
        ((12, 20, 30), "i2", {"effort": 1}),
        ((12, 20, 30), "i2", {"effort": 3, "tile": 16}),
        ((6, 7, 12, 15), "u1", {"effort": 1}),
        ((12, 20, 30), "f4", {"effort": 1}),
        ((12, 20, 30), "i8", {"effort": 1, "depth": 40}),
    ],
)
def test_bits_lie_where_the_noise_is(shape: tuple[int, ...], dtype: str, more: dict[str, Any]) -> None:
    samples, box = with_noise(shape, dtype, more.pop("channels", 0), more.pop("depth", 8))
    data = inrcodec.encode(samples, **{"profile": "hybrid", "verify": False, **more})
    found = checked(data)
    assert inrcodec.info(data)["profile"] == "hybrid"
    check_box(found.places, box)


@pytest.mark.parametrize(
    ("shape", "place", "more"),
    [
        ((31, 42), (7, 23), {"kind": "image", "effort": 1}),
        ((31, 42), (7, 23), {"kind": "image", "effort": 3}),
        ((31, 42), (8, 24), {"kind": "image", "effort": 5}),
        ((31, 42), (21, 9), {"kind": "image", "effort": 1, "tile": 16}),
        ((500,), (301,), {"kind": "audio", "sample_rate": 8000, "effort": 1}),
        ((9, 11, 12), (3, 7, 5), {"effort": 1}),
    ],
)
def test_a_lone_sample_costs_most(shape: tuple[int, ...], place: tuple[int, ...], more: dict[str, Any]) -> None:
    samples = np.full(shape, 7, np.int16 if len(shape) == 1 else np.uint8)
    samples[place] = 99
    places = checked(inrcodec.encode(samples, **{"profile": "hybrid", "verify": False, **more})).places
    first = tuple(slice(0, None, more.get("tile", n)) for n in shape)  # of each tile, of which nothing is known
    places[first] = 0
    assert np.unravel_index(places.argmax(), shape) == place


@pytest.mark.parametrize("way", range(1, 8))
def test_turned_arrays_are_turned_back(way: int) -> None:
    samples, box = with_noise((48, 40), np.uint8)
    values, value_map = to_values(samples[..., None])
    subject = Subject(values, value_map.bits)
    parts = turned.encode(subject, Options(effort=1), way, lambda s, o: pictures.encode(s.values, s.bits, o).parts)
    assert parts is not None
    assert parts.section is not None
    decoder = profiles.named("hybrid").open(parts.section.content, parts.layout, value_map.bits)
    found, bits = decoder.decode_costs(parts.layout.box(0), parts.tiles[0])
    assert np.array_equal(found, values)
    check_box(bits.sum(axis=0), box)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("twin", [None, (1, 24)])
def test_bricks_of_any_order_and_the_twins_of_a_mirror(order: tuple[int, ...], twin: tuple[int, int] | None) -> None:
    samples, box = with_noise((12, 24, 20), np.uint16)
    if twin:
        samples[:, 13:] = samples[:, 11:0:-1]
    subject = Subject(samples[..., None], 8)
    plan = analysis.plan_for(subject.values, analysis.recipe_of(subject, 1, samples.shape), None, twin)
    plan = replace(plan, model=replace(plan.model, order=order))
    data = brick.encode(subject.values, plan, None, ignore)
    bits = np.zeros((2, *samples.shape), np.float32)
    values, _ = brick.decode(data, (samples.shape, 1), 8, None, ignore, bits)
    assert np.array_equal(values, subject.values)
    assert bits.sum() == pytest.approx(8 * len(data), abs=END + 8 * 40)
    if twin is None:
        check_box(bits[0], box)
    else:
        assert not bits[:, :, 13:].any()
        left = mirror.folded_shape(samples.shape, twin)
        check_box(bits[0, :, : left[1]], box)


def test_low_bits_are_shared() -> None:
    x = np.random.default_rng(1).integers(0, 1 << 20, (30, 40)) + (np.arange(30)[:, None] << 30)
    found = checked(inrcodec.encode(x, profile="hybrid", effort=1, verify=False))
    for name, bits in found.planes:
        assert name in ("values", "low bits")
        if name == "low bits":
            assert bits.min() == bits.max()


def test_fine_bits_are_shared() -> None:
    g = np.random.default_rng(0)
    x = np.round(g.normal(0, 100, (60, 80)), 3)
    x.reshape(-1)[::7] = g.normal(0, 100, x.reshape(-1)[::7].size)
    data = inrcodec.encode(x, profile="hybrid", effort=2, verify=False)
    found, opened = checked(data), codec.open_bytes(data)
    assert (len(opened.planes) > len(opened.decoder.planes)) == opened.header.split
    assert found.places.sum() > 0


def test_planes_have_the_bits_of_their_streams() -> None:
    """Compared with the bytes of each stream, and with what the kernels tally decision by decision."""
    for samples, effort in ((photo(70, 60), 4), (photo(50, 60), 1), (converted(90, 80), 3), (converted(40, 30), 5)):
        data = inrcodec.encode(samples, kind="image", profile="hybrid", effort=effort, verify=False)
        stages = inrcodec.info(data, stages=True)["stages"]
        of_plane = {name: float(bits.sum(dtype=np.float64)) for name, bits in checked(data).planes}
        for name, bits in of_plane.items():
            mine = [s for s in stages if s["name"] == name or s["name"].startswith(f"{name} ")]
            assert mine
            assert bits == pytest.approx(8 * sum(s["bytes"] for s in mine), abs=END * len(mine))
            if tallied := sum(sum(s["bits"].values()) for s in mine):
                assert bits == pytest.approx(tallied, rel=0.01)


def test_a_lattice_has_corrections() -> None:
    data = inrcodec.encode(converted(90, 80), kind="image", profile="hybrid", effort=3, verify=False)
    assert inrcodec.info(data)["network"]["transform"] == "lattice"
    assert [name for name, _ in checked(data).planes] == ["plane 0", "plane 1", "plane 2", "corrections"]


def test_a_palette_of_several_pages_is_of_all_of_them() -> None:
    samples = np.random.default_rng(0).integers(0, 2, (3, 20, 30)).astype(np.uint8) * 255
    found = checked(inrcodec.encode(samples, kind="stack", profile="hybrid", effort=2, verify=False))
    pages = found.places.sum(axis=(1, 2))
    assert pages.min() > 0.2 * pages.max()


@pytest.mark.parametrize("name", [*VALID, *KNOWN])
def test_every_kind_of_file_adds_up(name: str) -> None:
    data = (VECTORS / name).read_bytes() if name in VALID else resources.files(known).joinpath(name).read_bytes()
    checked(data)


def test_networks_tell_the_cost_of_each_bit() -> None:
    for name in ("inr-heads-filters", "inr-values-grid"):
        data = (resources.files(known) / f"{name}.linr").read_bytes()
        opened, found = codec.open_bytes(data), checked(data)
        bits = opened.header.value_map.bits
        assert opened.planes[:bits] == [f"channel 0 bit {b}" for b in reversed(range(bits))]
        assert {name for name, _ in found.planes} <= set(opened.planes)


@settings(max_examples=25, deadline=None)
@given(integer_arrays(), st.sampled_from(["auto", "stored", "hybrid"]))
def test_any_integers_add_up(x: Array, profile: str) -> None:
    checked(inrcodec.encode(x, profile=profile, effort=1, verify=False))


@settings(max_examples=15, deadline=None)
@given(integer_arrays() | float_arrays())
def test_any_arrays_add_up(x: Array) -> None:
    checked(inrcodec.encode(x, profile="hybrid", effort=2, verify=False))


def test_without_a_model_all_places_cost_the_same() -> None:
    data = inrcodec.encode(photo(20, 30), kind="image", profile="stored")
    found = checked(data)
    assert found.places.min() == found.places.max() > 0
    assert [name for name, _ in found.planes] == ["values"]
    assert checked(inrcodec.encode(np.full((4, 5), 3, np.uint8))).planes == []


def test_a_region_is_a_part_of_the_whole() -> None:
    data = inrcodec.encode(photo(70, 90), kind="image", effort=1, profile="hybrid", tile=20, verify=False)
    whole = inrcodec.cost_map(data, threads=2)
    assert np.array_equal(whole.places, costs(data, Options(threads=1)).places)
    part = inrcodec.cost_map(data, region=(25, 10, 40, 30))
    assert np.array_equal(part.places, whole.places[10:40, 25:65])
    assert part.overhead < whole.overhead
    for (name, bits), (other, all_) in zip(part.planes, whole.planes, strict=True):
        assert name == other
        assert np.array_equal(bits, all_[10:40, 25:65])
    with pytest.raises(UnsupportedError, match="does not lie inside the picture"):
        inrcodec.cost_map(data, region=(60, 0, 40, 30))
    with pytest.raises(TypeError, match="region"):
        inrcodec.cost_map(data, region=(60, 0, 40))  # type: ignore[arg-type]


def test_regions_of_arrays_and_pages() -> None:
    x = np.random.default_rng(0).integers(0, 99, (12, 20, 30)).cumsum(0)
    data = inrcodec.encode(x, effort=1, tile=16, verify=False)
    box = (slice(3, 11), slice(0, 5), slice(9, 21))
    assert np.array_equal(costs(data, region=box).places, costs(data).places[box])
    for wrong in (box[:2], (slice(3, 13), *box[1:]), (slice(3, 3), *box[1:])):
        with pytest.raises(UnsupportedError, match="does not lie inside the signal, which is 12 × 20 × 30"):
            costs(data, region=wrong)
    stack = inrcodec.encode(np.stack([photo(20, 30)] * 3), kind="stack", effort=1, verify=False)
    assert costs(stack, region=(slice(2, 9), slice(3, 8))).places.shape == (3, 7, 5)


def test_damaged_files_are_refused_as_decode_refuses_them() -> None:
    data = inrcodec.encode(photo(30, 40), kind="image", effort=1, profile="hybrid", compact=False, verify=False)
    for at in range(3, len(data), len(data) // 40):
        changed = data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]
        with pytest.raises(FormatError) as decoded:
            inrcodec.decode(changed)
        with pytest.raises(FormatError) as counted:
            costs(changed)
        assert str(counted.value) == str(decoded.value)


def test_what_has_no_map_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="only a file of one signal"):
        costs(inrcodec.encode_arrays({"a": np.arange(9)}))
    lossy = next(entry["file"] for entry in MANIFEST if "lossy" in entry)
    with pytest.raises(LossyError):
        costs((VECTORS / lossy).read_bytes())


def test_limits_are_kept() -> None:
    data = inrcodec.encode(photo(60, 60), kind="image", effort=1)
    with pytest.raises(LimitError):
        inrcodec.cost_map(data, max_samples=1000)
    low, high = 0, 1 << 40
    while high - low > 1:  # high: the least memory that decoding is allowed with
        middle = (low + high) // 2
        low, high = (low, middle) if _decodes(data, middle) else (middle, high)
    with pytest.raises(LimitError):
        inrcodec.cost_map(data, max_memory=high, threads=1)
    inrcodec.cost_map(data, max_memory=high + (1 << 24), threads=1)


def _decodes(data: bytes, memory: int) -> bool:
    try:
        inrcodec.decode(data, max_memory=memory, threads=1)
    except LimitError:
        return False
    return True


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    path = tmp_path / "photo.linr"
    path.write_bytes(inrcodec.encode(photo(30, 40), kind="image", effort=1, profile="hybrid", verify=False))
    return path


def test_info_draws_a_map(drawn: Path) -> None:
    out = drawn.with_name("where.png")
    done = CliRunner().invoke(main, ["info", str(drawn), "--map", str(out)])
    assert done.exit_code == 0, done.output
    found = inrcodec.cost_map(drawn.read_bytes())
    picture, top = figures.heat(found.places)
    with Image.open(out) as read:
        assert np.array_equal(np.asarray(read), picture)
    line = next(line for line in done.output.splitlines() if line.startswith("map:"))
    assert f"yellow {top:.3g} or more; {round(found.overhead)} bits belong to no place" in line
    told = json.loads(CliRunner().invoke(main, ["info", str(drawn), "--map", str(out), "--json", "--force"]).output)
    assert told["map"] == {"path": str(out), "least": 0, "top": top, "overhead": round(found.overhead)}


def test_faults_of_maps_are_one_line_and_nothing_is_written(drawn: Path) -> None:
    def fault(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["info", *arguments])
        assert done.exit_code == 1
        return done.output

    there = drawn.with_name("there.png")
    there.write_bytes(b"mine")
    assert "exists already; --force overwrites it" in fault(str(drawn), "--map", str(there))
    assert there.read_bytes() == b"mine"
    assert "a map is a .png file" in fault(str(drawn), "--map", str(drawn.with_name("where.jpg")))
    data = drawn.read_bytes()
    drawn.write_bytes(data[:-60] + bytes(10) + data[-50:])
    out = drawn.with_name("where.png")
    assert fault(str(drawn), "--map", str(out)).startswith(f"inrcodec: {drawn}: damaged")
    drawn.write_bytes(inrcodec.encode_arrays({"a": np.arange(9)}))
    assert "--map is for signals" in fault(str(drawn), "--map", str(out))
    assert not out.exists()


def test_maps_of_sound_and_volumes(tmp_path: Path) -> None:
    for name, signal, size in (
        ("take", Signal(np.arange(500, dtype=np.int16) ** 2 % 999, "audio", 16, 8000), (500, figures.MAP_HEIGHT)),
        ("volume", Signal(np.random.default_rng(0).integers(0, 99, (5, 20, 30)).astype(np.uint8)), (30, 20)),
    ):
        path, out = tmp_path / f"{name}.linr", tmp_path / f"{name}.png"
        path.write_bytes(inrcodec.encode(signal, effort=1, verify=False))
        done = CliRunner().invoke(main, ["info", str(path), "--map", str(out)])
        assert done.exit_code == 0, done.output
        with Image.open(out) as read:
            assert read.size == size


def test_costs_of_a_map_are_finite_numbers() -> None:
    found = costs(inrcodec.encode(photo(20, 30), kind="image", effort=1))
    assert math.isfinite(found.overhead)
    assert np.isfinite(found.places).all()


def test_what_notes_bits_loads_no_functions() -> None:
    """They load Numba's tools for extensions, which takes longer than the rest of a profile."""
    code = "import sys, inrcodec.profiles\nprint('inrcodec.kernels.noting' in sys.modules, 'inrcodec.kernels.functions' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False"]
