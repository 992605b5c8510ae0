"""Occupancy fields: what NETW says of values of one bit, how they are fitted, and what their networks show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import Signal, codec, views
from inrcodec.cli import main
from inrcodec.errors import FormatError, UnsupportedError
from inrcodec.files import mesh
from inrcodec.options import Options
from inrcodec.profiles.inr import coding
from inrcodec.weights import network

torch = pytest.importorskip("torch")

from inrcodec.fit import search  # noqa: E402
from inrcodec.fit.choices import architecture_of, batch_of, near_of, usual_goal  # noqa: E402
from inrcodec.fit.codings import Lsq  # noqa: E402
from inrcodec.fit.data import is_occupancy, near_surface, targets  # noqa: E402
from inrcodec.fit.model import CoordinateNetwork  # noqa: E402
from inrcodec.fit.objective import BitObjective  # noqa: E402
from inrcodec.fit.train import Meter, batches  # noqa: E402
from inrcodec.options import Goal  # noqa: E402
from inrcodec.values import to_values  # noqa: E402

CPU = torch.device("cpu")
MDL = Goal("mdl")
FAST: dict[str, Any] = {"profile": "inr", "kind": "array", "threads": 1, "steps": 60, "hidden": 8, "weights": "uniform", "bits": 8}


def ball(size: int = 12, radius: float = 0.7) -> np.ndarray:
    """(size, size, size) bool."""
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij"))
    return np.asarray((places**2).sum(0) < radius**2)


def iou(found: np.ndarray, wanted: np.ndarray) -> float:
    return float((found & wanted).sum() / (found | wanted).sum())


def alone(data: bytes, **view: Any) -> np.ndarray:
    return inrcodec.render(data, network_only=True, threads=1, **view).samples


# --- NETW ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"network": "siren"},
        {"network": "bitlinear", "octaves": 3},
        {"network": "values", "body": "mlp"},
        {"weights": "sinr", "bits": 0},
    ],
)
def test_info_has_the_iou_of_the_network_alone(options: dict[str, Any]) -> None:
    samples = ball()
    data = inrcodec.encode(samples, **{**FAST, "until": "mdl", **options})
    assert (inrcodec.decode(data).samples == samples).all()
    found, told = alone(data), inrcodec.info(data)["network"]
    assert told["iou"] == pytest.approx(iou(found, samples), abs=2**-24)
    assert told["mse"] == pytest.approx((found != samples).mean(), abs=2**-24)
    assert told["psnr"] == pytest.approx(10 * np.log10(1 / told["mse"]))


def test_pictures_of_one_bit_have_an_iou_and_others_have_none() -> None:
    samples = np.random.default_rng(0).random((12, 9)) < 0.3
    data = inrcodec.encode(samples, **{**FAST, "kind": "image", "network": "heads"})
    assert inrcodec.info(data)["network"]["iou"] == pytest.approx(iou(alone(data), samples), abs=2**-24)
    data = inrcodec.encode(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), **FAST)
    assert "iou" not in inrcodec.info(data)["network"]


def test_each_network_of_a_supernet_has_its_iou() -> None:
    samples = ball()
    data = inrcodec.encode(samples, profile="inr", threads=1, steps=60, supernet="1,2x4,8", weights="uniform")
    told = inrcodec.info(data)["network"]
    for part in told["configurations"]:
        found = alone(data, config=(part["layers"], part["hidden"]))
        assert part["iou"] == pytest.approx(iou(found, samples), abs=2**-24)
    assert told["iou"] == told["configurations"][-1]["iou"]
    cut = data[: told["configurations"][1]["bytes"]]
    assert (alone(cut) == alone(data, config=(2, 4))).all()


def test_a_network_that_is_right_has_an_iou_of_1() -> None:
    values = to_values(ball())[0][..., None]
    fitted = search.fit_float(values, 1, Options(threads=1, steps=5, hidden=4), MDL)
    coded = search.best_of(fitted, "uniform", 8).coded
    box = tuple(slice(0, n) for n in values.shape[:-1])
    right = coding.network_values(coded, coded.network, coding.coordinates_of(box, values.shape[:-1], 0, values.size)).reshape(values.shape)
    parts = coding.encode_with(coded, right, Options(threads=1))
    assert parts.section is not None
    decoder = coding.open_decoder(parts.section.content, parts.layout, 1)
    assert decoder.written.exact
    assert decoder.describe()["iou"] == 1
    one = right.copy()
    one[3, 3, 3] ^= 1
    section = coding.encode_with(coded, one, Options(threads=1)).section
    assert section is not None
    assert 0 < 1 - float(str(coding.open_decoder(section.content, parts.layout, 1).describe()["iou"])) < 1


@pytest.mark.parametrize(("errors", "distances"), [((5,), (2**24 + 1,)), ((5,), (0,)), ((0,), (5,))])
def test_errors_that_contradict_each_other(errors: Any, distances: Any) -> None:
    values = to_values(ball())[0][..., None]
    fitted = search.fit_float(values, 1, Options(threads=1, steps=2, hidden=4), MDL)
    coded = search.best_of(fitted, "uniform", 8).coded
    content = network.write(replace(coded, errors=errors, distances=distances))
    with pytest.raises(FormatError):
        network.parse(content, values.shape[:-1], 1, 1)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(2, 6)] * 3), st.sampled_from(["uniform", "lsq", "ternary", "sinr"]))
def test_both_decoders_agree(linr: ModuleType, seed: int, shape: tuple[int, int, int], weights: str) -> None:
    samples = np.random.default_rng(seed).random(shape) < 0.4
    samples.flat[:2] = (False, True)
    data = inrcodec.encode(samples, profile="inr", kind="array", threads=1, steps=5, hidden=5, weights=weights)
    assert inrcodec.decode(data).equals(Signal(samples))
    assert np.array_equal(linr.decode(data)[0], samples)


# --- the fit ------------------------------------------------------------------------------------------------------


def test_what_is_chosen_for_an_occupancy_field() -> None:
    values = to_values(ball(24))[0][..., None]
    assert is_occupancy(values, 1)
    assert usual_goal(values, 1) == "mdl"
    a = architecture_of(values, 1, Options(), MDL)
    assert (a.form, a.body, a.activation, a.layers, a.hidden) == ("heads", "mlp", "gaussian", 3, 8)
    assert architecture_of(values, 1, Options(), Goal("iou", 0.9)).hidden == 24
    large = np.broadcast_to(np.uint8(1), (200, 150, 100, 1))
    assert architecture_of(large, 1, Options(), Goal("iou", 0.9)).hidden == 128
    assert architecture_of(large, 1, Options(), MDL).hidden == 64
    own = architecture_of(values, 1, Options(network="siren", layers=2, hidden=9, activation="sine"), MDL)
    assert (own.form, own.activation, own.layers, own.hidden) == ("siren", "sine", 2, 9)
    for other in (values[0], values * np.uint8(3)):  # a picture of one bit, a volume of two
        bits = int(other.max()).bit_length()
        assert usual_goal(other, bits) == "exact"
        assert architecture_of(other, bits, Options(), MDL).form == "values"


def test_places_near_the_surface() -> None:
    values = np.zeros((7, 6, 5, 1), np.uint8)
    values[2, 3, 4] = 1
    found = np.zeros((7, 6, 5), np.bool_)
    found.flat[near_surface(values)] = True
    wanted = np.zeros_like(found)
    wanted[1:4, 2:5, 3:5] = True
    assert np.array_equal(found, wanted)


def test_batches_have_their_share_of_the_surface_and_reach_every_place() -> None:
    data = targets(to_values(ball(24))[0][..., None], 1, CPU)
    assert sorted(torch.cat([data.near, data.far]).tolist()) == list(range(24**3))
    supply = batches(data, 1000, torch.Generator().manual_seed(0), 0.8)
    near, seen = set(data.near.tolist()), set()
    for _ in range(24**3 // 200 + 2):
        index, count = next(supply)
        assert index is not None
        assert (len(index), count) == (1000, 800)
        assert set(index[:count].tolist()) <= near
        assert not set(index[count:].tolist()) & near
        seen |= set(index.tolist())
    assert len(seen) == 24**3


def test_the_measure_is_that_of_all_places() -> None:
    """Although the surface is seen more often: over many batches, the code length and the errors are those of the whole field."""
    data = targets(to_values(ball(24))[0][..., None], 1, CPU)
    objective = BitObjective(data, False)
    logits = torch.randn((data.places, 1, 1), generator=torch.Generator().manual_seed(1)) + data.bits * 2
    whole = Meter(objective)
    whole.add(logits, data.batch(None), None, 0.0)
    sampled, supply = Meter(objective), batches(data, 1000, torch.Generator().manual_seed(2), 0.8)
    for _ in range(200):
        index, near = next(supply)
        assert index is not None
        sampled.add(logits[index], data.batch(index, (), near), None, 0.0)
    assert sampled.full
    assert not sampled.exact
    assert sampled.code_bits == pytest.approx(whole.code_bits, rel=0.02)
    assert sampled.bit_errors[0] == pytest.approx(whole.bit_errors[0], rel=0.03)
    assert sampled.psnr == pytest.approx(whole.psnr, abs=0.15)


def test_an_exact_fit_and_means_see_all_places_alike() -> None:
    values = to_values(ball(24))[0][..., None]
    a = architecture_of(values, 1, Options(), MDL)
    assert near_of(a, MDL) > 0
    assert near_of(a, Goal("exact")) == 0
    assert near_of(architecture_of(values, 1, Options(network="values"), MDL), MDL) == 0
    assert near_of(architecture_of(values[0], 1, Options(), MDL), MDL) == 0
    data = targets(values, 1, CPU)
    assert batch_of(data, Options()) == 4096
    assert batch_of(data, Options(batch=77)) == 77


def test_a_ball_is_learned() -> None:
    samples = ball(24)
    data = inrcodec.encode(samples, profile="inr", threads=1, steps=600, hidden=16, weights="lsq", bits=8)
    assert (inrcodec.decode(data).samples == samples).all()
    told = inrcodec.info(data)
    assert told["network"]["iou"] > 0.97
    assert told["bytes"]["payload"] < 120


@pytest.mark.parametrize(("bits", "share"), [(3, 3.0), (5, 3.0), (8, 3.0 * 15 / 127)])
def test_a_fine_step_is_learned_slowly(bits: int, share: float) -> None:
    """Else it moves all weights by more than itself: 8 bits were worse than without learning the step."""
    a = architecture_of(to_values(ball(12))[0][..., None], 1, Options(), MDL)
    coding = Lsq(CoordinateNetwork(a, 30.0, torch.Generator().manual_seed(0)), bits)
    assert coding.groups(0.1)[-1]["lr"] == pytest.approx(0.1 * share)


@pytest.mark.slow
def test_goals_of_rate_and_psnr() -> None:
    samples = ball(16)
    data = inrcodec.encode(samples, profile="inr", threads=1, steps=80, until="rate=0.5")
    assert 8 * inrcodec.info(data)["bytes"]["weights"] / samples.size <= 0.55
    data = inrcodec.encode(samples, profile="inr", threads=1, steps=300, until="psnr=12")
    assert inrcodec.info(data)["network"]["psnr"] >= 12
    assert (inrcodec.decode(data).samples == samples).all()


@pytest.mark.slow
def test_a_goal_of_iou() -> None:
    samples = ball(16)
    common: dict[str, Any] = {"profile": "inr", "threads": 1, "steps": 700, "hidden": 16}
    found = inrcodec.info(inrcodec.encode(samples, **common, until="iou=0.8"))
    better = inrcodec.info(inrcodec.encode(samples, **common, until="iou=0.93"))
    assert found["network"]["iou"] >= 0.8
    assert better["network"]["iou"] >= 0.93
    assert found["bytes"]["weights"] <= better["bytes"]["weights"]
    with pytest.warns(inrcodec.Notice, match=r"until iou=0.99 was not reached: the network alone has 0\."):
        inrcodec.encode(samples, **{**common, "steps": 3}, until="iou=0.99")
    with pytest.raises(inrcodec.InrcodecError, match="for values of one bit, and these have 6"):
        inrcodec.encode(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), **common, until="iou=0.9")
    for wrong in ("iou=1", "iou=0", "iou", "iou=90"):
        with pytest.raises(ValueError, match="until is"):
            Options(until=wrong)


# --- what the network shows ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coded() -> bytes:
    """A ball in a corner of its volume, whose surface leaves the volume."""
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (14, 16, 18)], indexing="ij"))
    samples = ((places - 0.5) ** 2).sum(0) < 0.6
    return inrcodec.encode(
        Signal(samples, metadata=mesh.placement((10, 20, 30), 0.5)), profile="inr", threads=1, steps=300, hidden=16, bits=8, weights="lsq"
    )


@pytest.mark.parametrize("sizes", [(), (14, 16, 18), (5, 31, 7), (40, 40, 40), (1, 1, 1)])
def test_the_field_has_the_signs_of_what_is_rendered(coded: bytes, sizes: tuple[int, ...]) -> None:
    opened = codec.open_bytes(coded)
    found = views.field(opened, views.View(sizes), Options(threads=1))
    assert np.array_equal(found > 0, alone(coded, sizes=sizes))
    assert found.dtype == np.int64


def test_fields_of_means_and_of_files_without_one() -> None:
    samples = ball(8)
    data = inrcodec.encode(samples, **{**FAST, "network": "values", "body": "mlp"})
    found = views.field(codec.open_bytes(data), views.View(), Options(threads=1))
    assert np.array_equal(found > 0, alone(data))
    data = inrcodec.encode(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), **FAST)
    with pytest.raises(UnsupportedError, match="only a network of one bit has a field"):
        views.field(codec.open_bytes(data), views.View(), Options(threads=1))
    with pytest.raises(UnsupportedError, match="only files of profile inr"):
        views.field(codec.open_bytes(inrcodec.encode(samples, profile="stored")), views.View(network_only=True), Options(threads=1))


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.mark.parametrize("asked", [("--network-only",), ("--scale", 2), ("--size", "9x30x20")])
def test_a_surface_of_a_network(coded: bytes, tmp_path: Path, asked: tuple[Any, ...]) -> None:
    trimesh: Any = pytest.importorskip("trimesh")
    pytest.importorskip("skimage")
    (tmp_path / "x.linr").write_bytes(coded)
    result = run("render", tmp_path / "x.linr", "-o", tmp_path / "x.ply", *asked)
    assert (result.exit_code, result.output) == (0, "")
    found = trimesh.load_mesh(tmp_path / "x.ply")
    assert found.is_watertight
    run("decode", tmp_path / "x.linr", "-o", tmp_path / "y.ply")
    whole = trimesh.load_mesh(tmp_path / "y.ply")
    assert found.volume == pytest.approx(whole.volume, rel=0.15)
    assert np.abs(found.bounds - whole.bounds).max() < 1  # two voxels


def test_a_lossy_file_shows_its_surface_and_what_is_empty_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trimesh: Any = pytest.importorskip("trimesh")
    pytest.importorskip("skimage")
    samples = ball()
    (tmp_path / "x.linr").write_bytes(inrcodec.encode(samples, **{**FAST, "steps": 300}, payload=False))
    assert run("render", tmp_path / "x.linr", "-o", tmp_path / "x.ply").exit_code == 0
    assert trimesh.load_mesh(tmp_path / "x.ply").is_watertight
    monkeypatch.setattr(views, "field", lambda opened, view, options: np.full((12, 12, 12), -5))
    result = run("render", tmp_path / "x.linr", "-o", tmp_path / "e.ply")
    assert (result.exit_code, result.stderr) == (1, f"inrcodec: {tmp_path / 'e.ply'}: nothing is inside, so there is no surface\n")
    assert not (tmp_path / "e.ply").exists()


def test_encode_and_info_tell_the_iou(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ball())
    result = run("encode", tmp_path / "x.npy", "--profile", "inr", "--steps", 60, "--hidden", 8, "--weights", "uniform", "--threads", 1)
    assert result.exit_code == 0
    told = inrcodec.info((tmp_path / "x.linr").read_bytes())["network"]["iou"]
    assert f", IoU {told:.4f}\n" in result.output
    assert f", IoU {told:.4f}\n" in run("info", tmp_path / "x.linr").output
