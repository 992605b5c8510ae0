"""The hybrid profile: round trips of all sorts of pictures, threads, transforms, damage."""

from __future__ import annotations

import contextlib
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

import inrcodec
from inrcodec import Signal, compact, container, values
from inrcodec.container import Section
from inrcodec.kernels import contextnet, functions, picture, predictors
from inrcodec.options import Options
from inrcodec.profiles.hybrid.pictures import analysis, lattice, pipeline, plan, scan, sources, tile
from inrcodec.profiles.hybrid.pictures.pipeline import Job
from inrcodec.profiles.hybrid.pictures.plan import PictureModel, PicturePlan, Plane
from inrcodec.profiles.hybrid.pictures.sources import Source
from inrcodec.profiles.hybrid.pictures.transforms import Direct, Lattice, Palette
from inrcodec.profiles.hybrid.priors import shipped

JPEG = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])


def photo(height: int = 48, width: int = 40, channels: int = 3, top: int = 255, seed: int = 0) -> npt.NDArray[Any]:
    """Smooth shapes with noise, (height, width, channels); (height, width) for one."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.sin(y / 9 + 1) * np.cos(x / 7) + 0.5 * (np.hypot(y - height / 2, x - width / 3) < width / 4)
    found = np.stack([top * (0.45 + 0.25 * base + 0.05 * c) + g.normal(0, top / 90, base.shape) for c in range(channels)], -1)
    samples: npt.NDArray[Any] = np.clip(found.round(), 0, top).astype(np.uint8 if top < 256 else np.uint16)
    return samples.squeeze(-1 if channels == 1 else ())


def converted(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """RGB that was once luma and chroma, with many colours."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    luma = 120 + 70 * np.sin(y / 19) * np.cos(x / 23) + g.normal(0, 9, (height, width))
    chroma = [20 * np.sin(x / 31 + y / 17 + k) + g.normal(0, 3, luma.shape) for k in (0, 2)]
    ycc = np.round(np.stack([luma, *chroma], -1))
    rgb: npt.NDArray[np.uint8] = np.clip(np.floor(ycc @ JPEG.T + 0.5), 0, 255).astype(np.uint8)
    return rgb


def code(samples: npt.NDArray[Any], kind: Any = None, **options: Any) -> tuple[bytes, dict[str, Any]]:
    """Encode with hybrid, check the way back, and tell of the file."""
    chosen: Any = kind or ("image" if samples.ndim == 2 or samples.shape[-1] <= 4 else "array")
    signal = Signal(samples, chosen)
    data = inrcodec.encode(signal, **{"profile": "hybrid", "verify": False, **options})
    assert inrcodec.decode(data).equals(signal)
    return data, inrcodec.info(data)


@pytest.mark.parametrize("effort", range(1, 6))
def test_every_effort_round_trips(effort: int) -> None:
    _, found = code(photo(), effort=effort)
    assert found["profile"] == "hybrid"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [1, 2, 5, 8, 10, 12, 16])
def test_every_depth_and_channel_count(bits: int, channels: int) -> None:
    code(photo(20, 23, channels, 2**bits - 1))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 70), (1, 9, 3), (9, 1, 4), (2, 3, 2)])
def test_thin_pictures(shape: tuple[int, ...]) -> None:
    g = np.random.default_rng(3)
    samples = g.integers(0, 250, shape).astype(np.uint8)
    samples.flat[0], samples.flat[-1] = 3, 200
    if samples.size > 1:
        code(samples, effort=4)
    assert inrcodec.decode(inrcodec.encode(Signal(samples, "image"))).equals(Signal(samples, "image"))


@settings(max_examples=25, deadline=None)
@given(
    shape=st.one_of(st.tuples(st.integers(1, 14), st.integers(1, 14)), st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))),
    dtype=st.sampled_from(["u1", "u2", "i2", "i1", "i4", "?"]),
    spread=st.integers(1, 65535),
    smooth=st.booleans(),
    effort=st.sampled_from([1, 3, 5]),
    seed=st.integers(0, 99),
)
def test_any_small_array(shape: tuple[int, ...], dtype: str, spread: int, smooth: bool, effort: int, seed: int) -> None:
    g = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    low, high = values.type_range(kind)
    whole = g.integers(0, min(spread, high - low) + 1, shape)
    samples = ((np.sort(whole, -1) if smooth else whole) + low).astype(kind)
    signal = Signal(samples, "array")
    assert inrcodec.decode(inrcodec.encode(signal, effort=effort, verify=False)).equals(signal)


def test_pictures_of_many_planes() -> None:
    stack = np.cumsum(np.random.default_rng(0).integers(-2, 3, (2, 3, 16, 18)), axis=3).astype(np.int16)
    with mock.patch("inrcodec.profiles.hybrid.is_array", return_value=False):
        _, found = code(stack, "array")
    assert len(found["network"]["planes"]) == 6


def test_many_small_planes_need_little_memory() -> None:
    """Tables are sized by what there is to code, and gone when a plane is done: 300 planes of full tables would take 20 GB."""
    stack = np.random.default_rng(0).integers(0, 9, (300, 4, 4)).astype(np.uint8)
    tables: list[int] = []
    make = tile.fresh

    def watched(*args: Any) -> picture.PassState:
        found = make(*args)
        tables.append(found.contexts.slots.nbytes + found.mixer.maps.nbytes)
        return found

    no_array = mock.patch("inrcodec.profiles.hybrid.is_array", return_value=False)
    with no_array, mock.patch.object(tile, "fresh", watched):
        code(stack, "array", effort=3)
    assert len(tables) >= 600
    assert max(tables) < 1 << 20


def test_gaps_that_are_chance_make_no_table() -> None:
    g = np.random.default_rng(0)
    wide = g.integers(0, 60000, (60, 60)).astype(np.uint16)
    assert analysis.source_of(wide, False).table is None
    assert analysis.source_of((wide // 100 * 100).astype(np.uint16), False).table is not None
    comb = (g.integers(0, 2000, (200, 200)) * 3 + 1).astype(np.uint16)
    comb[0, 0] += 1  # no common step
    assert analysis.source_of(comb, False).table is not None


def test_noise_below_the_signal_costs_what_it_must() -> None:
    """Bits that are noise are coded past the mixing: 16 bits of which 11 are noise cost hardly more than the noise."""
    y, x = np.mgrid[0:160, 0:160]
    clean = 30000 + 9000 * np.sin(y / 25) * np.cos(x / 31)
    samples = np.round(clean + np.random.default_rng(0).normal(0, 500, y.shape)).astype(np.uint16)
    data, _ = code(samples, effort=4)
    assert 8 * len(data) / samples.size < np.log2(500 * np.sqrt(2 * np.pi * np.e)) + 0.25


def test_small_pictures_try_more() -> None:
    """A palette costs a small picture more than it saves."""
    samples = photo(16, 16)
    data, found = code(samples, effort=4)
    assert found["network"]["transform"] == "planes"
    assert len(data) < 0.8 * samples.nbytes


def test_more_than_sixteen_bits_go_elsewhere() -> None:
    wide = np.random.default_rng(0).integers(0, 2**20, (9, 9)).astype(np.int32)
    for kind in ("array", "image"):
        _, found = code(wide, kind)
        assert found["network"]["transform"] == "array"
    assert inrcodec.info(inrcodec.encode(wide, effort=1))["profile"] == "stored"
    deep = np.array([0, 1, 2**40])
    back = inrcodec.decode(inrcodec.encode(deep, profile="hybrid"))
    assert np.array_equal(back.samples, deep)


@pytest.mark.parametrize("effort", [1, 4])
def test_noise_costs_no_more_than_its_samples(effort: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 120, 3)).astype(np.uint8)
    assert len(inrcodec.encode(Signal(noise, "image"), effort=effort)) <= noise.nbytes + 256


def test_long_and_thin() -> None:
    samples = np.random.default_rng(0).integers(0, 4, (16, 60000)).cumsum(1).astype(np.uint16) // 5
    signal = Signal(samples.astype(np.uint16), "image")
    assert inrcodec.decode(inrcodec.encode(signal, effort=1, verify=False)).equals(signal)


@pytest.mark.parametrize("samples", [photo(90, 70), converted(120, 110), photo(64, 64, 4) // 32 * 32], ids=["photo", "lattice", "drawn"])
def test_threads_change_nothing(samples: npt.NDArray[Any]) -> None:
    files = [inrcodec.encode(Signal(samples, "image"), threads=n, verify=False) for n in (1, 2, 4)]
    assert files[0] == files[1] == files[2]
    for n in (1, 2, 4):
        assert (inrcodec.decode(files[0], threads=n).samples == samples).all()


def test_tiles() -> None:
    samples = photo(1100, 1000, 1)
    data, found = code(samples, effort=1)
    assert found["tiles"]["count"] == 2
    opened = inrcodec.codec.open_bytes(data)
    box = opened.layout.box(1)
    values = opened.decoder.decode_tile(box, opened.tile(1))
    assert (values[..., 0] + opened.header.value_map.offset == samples[box]).all()


def test_photographs_beat_brotli() -> None:
    samples = photo(128, 128)
    data, _ = code(samples)
    assert len(data) < 0.8 * len(inrcodec.encode(Signal(samples, "image"), profile="stored", effort=5))


def test_a_lattice_is_found_and_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = converted(256, 256)
    data, found = code(samples, effort=2)
    assert found["network"]["transform"] == "lattice"
    monkeypatch.setattr(lattice, "find", lambda *_: None)
    plain, found = code(samples, effort=2)
    assert found["network"]["transform"] == "planes"
    assert len(data) < 0.9 * len(plain)


def test_no_lattice_in_what_has_none() -> None:
    assert lattice.find(np.moveaxis(photo(200, 200), -1, 0)) is None
    assert lattice.find(np.random.default_rng(0).integers(0, 256, (3, 200, 200)).astype(np.uint8)) is None


def test_saturated_colours_of_a_lattice() -> None:
    samples = converted(200, 200)
    samples[50:90, 50:90] = np.clip(samples[50:90, 50:90].astype(int) * 2, 0, 255)
    samples[100:110] = [255, 0, 3]
    _, found = code(samples, effort=2)
    assert found["network"]["transform"] == "lattice"


def test_interpolated_chroma_is_coded_in_two_passes() -> None:
    g = np.random.default_rng(1)
    half = np.round(60 + np.cumsum(g.normal(0, 2, (40, 40)), 1))
    full = np.zeros((80, 80))
    full[::2, ::2] = half
    full[::2, 1::2] = (half + np.roll(half, -1, 1)) // 2
    full[1::2] = (full[::2] + np.roll(full[::2], -1, 0)) // 2
    assert analysis.is_interpolated(full.astype(np.uint16))
    assert not analysis.is_interpolated(g.integers(0, 200, (80, 80)).astype(np.uint16))


def test_palettes() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (20, 3)).astype(np.uint8)
    samples = colours[np.random.default_rng(1).integers(0, 20, (30, 30)).cumsum(0) // 9 % 20]
    _, found = code(samples)
    assert found["network"]["transform"] == "palette"


def test_sparse_values() -> None:
    """10 bits spread over 16, unevenly: a table maps them to indices."""
    samples = (photo(40, 40, 1, 200).astype(np.uint16) ** 2).astype(np.uint16)
    _, found = code(samples)
    assert found["network"]["tables"] == 1


def test_a_constant_channel_costs_nothing() -> None:
    samples = photo(40, 40, 3)
    with_alpha = np.dstack([samples, np.full((40, 40), 255, np.uint8)])
    assert len(code(with_alpha)[0]) <= len(code(samples)[0]) + 24


def test_info_tells_the_stages() -> None:
    data, found = code(photo(64, 64))
    assert [s["name"] for s in found["stages"]] == ["plane 0 raster", "plane 1 raster", "plane 2 raster"]
    timed = inrcodec.info(data, stages=True)["stages"]
    for stage in timed:
        assert stage["seconds"] > 0
        assert abs(sum(stage["bits"].values()) - 8 * stage["bytes"]) < 0.02 * 8 * stage["bytes"] + 64


def test_stop_ends_the_work() -> None:
    with pytest.raises(inrcodec.Stopped):
        inrcodec.encode(Signal(photo(100, 100), "image"), profile="hybrid", stop=lambda: True)


def test_progress_is_told() -> None:
    told: list[float] = []
    inrcodec.encode(
        Signal(photo(100, 100), "image"), profile="hybrid", progress=lambda status: told.append(status.fraction), threads=1, verify=False
    )
    assert told == sorted(told)
    assert told[-1] == 1.0


# --- damage ---------------------------------------------------------------------------------------------------------


def with_plan(data: bytes, change: Any) -> bytes:
    """The file with its HYBR section changed."""
    sections = [Section(s.type, change(s.content)) if s.type == b"HYBR" else s for s in compact.sections_of(data)]
    return container.write(sections)


def test_an_unknown_prior_is_named() -> None:
    data, _ = code(photo(), compact=False)
    broken = with_plan(data, lambda c: c[:8] + bytes(8) + c[16:])
    with pytest.raises(inrcodec.FormatError, match="0000000000000000"):
        inrcodec.decode(broken)


def test_no_file_without_subnormals() -> None:
    torch = pytest.importorskip("torch")
    data, _ = code(photo(12, 12))
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush them")
    try:
        with pytest.raises(inrcodec.InrcodecError, match="subnormal"):
            inrcodec.decode(data)
    finally:
        torch.set_flush_denormal(False)


def test_a_prior_of_other_units_is_refused() -> None:
    data, found = code(photo(), compact=False)
    other = {48: 64, 64: 48}[found["network"]["units"]]
    broken = with_plan(data, lambda c: c[:8] + shipped.current(other) + c[16:])
    with pytest.raises(inrcodec.FormatError, match=f"of {other} units"):
        inrcodec.decode(broken)


def test_any_change_of_the_plan_is_a_fault_or_another_picture() -> None:
    data, _ = code(photo(12, 12), effort=3)
    content = next(s.content for s in compact.sections_of(data) if s.type == b"HYBR")
    original = inrcodec.decode(data).samples
    for i in range(len(content)):
        for flip in (1, 16, 255):
            broken = with_plan(data, lambda c, i=i, flip=flip: c[:i] + bytes([c[i] ^ flip]) + c[i + 1 :])
            with contextlib.suppress(inrcodec.FormatError):
                assert (inrcodec.decode(broken).samples == original).all()


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=0, max_size=60), st.integers(0, 9999))
def test_garbage_in_tiles_is_refused_or_harmless(garbage: bytes, place: int) -> None:
    data, _ = code(photo(16, 16), effort=4)
    sections = compact.sections_of(data)
    tile = next(s.content for s in sections if s.type == b"TILE")
    at = 8 + place % (len(tile) - 8)
    changed = (tile[:at] + garbage + tile[at + len(garbage) :])[: len(tile)]
    broken = container.write([Section(s.type, changed) if s.type == b"TILE" else s for s in sections])
    original = inrcodec.decode(data).samples
    with contextlib.suppress(inrcodec.FormatError):  # a string's last bits may be free: then it is still the same picture
        assert (inrcodec.decode(broken).samples == original).all()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (PicturePlan(Direct(), (Source(9), Source(9)), (Plane(0, 9), Plane(0, 9)), PictureModel(0, 0)), "missing"),
        (PicturePlan(Direct(), (Source(9), Source(9)), (Plane(0, 9, (1,)), Plane(1, 9)), PictureModel(0, 0)), "refers"),
        (PicturePlan(Direct(), (Source(0), Source(9)), (Plane(0, 0), Plane(1, 9, (0,))), PictureModel(0, 0)), "refers"),
        (PicturePlan(Direct(), (Source(9), Source(9)), (Plane(0, 8), Plane(1, 9)), PictureModel(0, 0)), "out of range"),
        (PicturePlan(Direct(), (Source(9, 250), Source(9)), (Plane(0, 9), Plane(1, 9)), PictureModel(0, 0)), "out of range"),
        (PicturePlan(Palette(np.array([[0, 0], [9, 10]])), (Source(9), Source(9)), (Plane(0, 1),), PictureModel(0, 0)), "palette"),
        (
            PicturePlan(
                Lattice(np.eye(3, dtype=int), np.zeros(3, int), np.zeros(3, int)),
                (Source(9), Source(9)),
                (Plane(0, 9), Plane(1, 9)),
                PictureModel(0, 0),
            ),
            "lattice",
        ),
    ],
)
def test_plans_that_cannot_be(wrong: PicturePlan, match: str) -> None:
    with pytest.raises(inrcodec.FormatError, match=match):
        plan.read(plan.write(wrong), 2, 8)


def test_plans_come_back() -> None:
    table = np.array([1, 5, 200])
    there = PicturePlan(
        Direct(),
        (Source(9, 3), Source(2, 0, table), Source(255)),
        (Plane(1, 2), Plane(0, 9, (0,), True), Plane(2, 255, (1, 0))),
        PictureModel(plan.AROUND, 4, 48, 20, True, "photo", 14, bytes(8)),
    )
    back = plan.read(plan.write(there), 3, 8)
    assert back.sources[1].has_table
    found = back.sources[1].expanded()
    assert found is not None
    assert (found == table).all()
    assert back.planes == there.planes
    assert back.model == there.model


# --- parts ----------------------------------------------------------------------------------------------------------


def test_priors_have_a_network_for_every_pass() -> None:
    for units in shipped.CURRENT:
        networks = shipped.named(shipped.current(units), units)
        for name in [f"{p.name}{n}" for p in scan.QUARTERS for n in (1, 2)] + ["raster0", "raster1", "raster2", "chroma1", "chroma2"]:
            taps = scan.taps(
                next(p for p in (*scan.QUARTERS, *scan.RASTER) if p.name == name[:-1].replace("chroma", "raster")),
                0,
                range(1, int(name[-1]) + 1),
            )
            assert len(networks[name]) == contextnet.parameters(tile.inputs_of(taps), units)


def test_functions_are_near_what_they_approximate() -> None:
    x = np.linspace(-14, 14, 999)
    assert np.allclose([functions.sigmoid(float(v)) for v in x], 1 / (1 + np.exp(-x)), atol=5e-6)
    assert np.allclose([functions.exp2(float(v)) for v in x], 2.0**x, rtol=2e-6)
    assert np.allclose([functions.log2(float(v)) for v in 2.0**x], x, atol=3e-6)


@njit
def solve(s):  # type: ignore[no-untyped-def]
    predictors.local_solve(s, 0, 1)


@njit
def differentiate(net, value, unit):  # type: ignore[no-untyped-def]
    contextnet.differentiate(net, value, np.float32(0.5), False, False, unit)


def test_least_squares_solves_the_normal_equations() -> None:
    g = np.random.default_rng(0)
    s = predictors.local_least_squares(range(7), 3, 7, 8, ((1, 0.9),))
    x = g.normal(0, 9, (300, 7))
    y = x @ np.arange(7.0)
    s.a[0, 1, :7, :7], s.b[0, 1, :7] = x.T @ x, x.T @ y
    solve(s)
    for weights, n in zip(s.w, (7, 3), strict=True):
        assert np.allclose(weights[:n], np.linalg.solve(x[:, :n].T @ x[:, :n] + np.eye(n), x[:, :n].T @ y), atol=1e-3)
        assert not weights[n:].any()
    s.a[0, 1, 3, 3] = -1e9
    s.b[0, 1] *= 2
    before = s.w.copy()
    solve(s)
    assert (s.w[0] == before[0]).all()  # not positive definite
    assert np.allclose(s.w[1], 2 * before[1])  # its first rows are


def test_the_networks_gradient_is_that_of_its_code_length() -> None:
    """Finite differences of −ln P by the outputs."""
    g = np.random.default_rng(0)
    out = g.normal(0, 0.5, 12)

    def outcome(o: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
        share = 2.0 ** o[:4] / (2.0 ** o[:4]).sum()
        mix = np.array([100 + 3 * o[4:8], 1 / (3 * 2.0 ** o[8:12]), share])
        mass = (share * (1 / (1 + np.exp(-(101.5 - mix[0]) * mix[1])) - 1 / (1 + np.exp(-(100.5 - mix[0]) * mix[1])))).sum()
        return mix, -float(np.log(mass))

    net = contextnet.contextnet(1, 16, np.zeros(contextnet.parameters(1, 16)))
    net.mixture[:, :4], _ = outcome(out)
    differentiate(net, np.float32(101), np.float32(3))
    for i in range(12):
        step = np.eye(12)[i] * 1e-5
        numeric = (outcome(out + step)[1] - outcome(out - step)[1]) / 2e-5
        assert abs(numeric - net.dout[i]) < 2e-3


def test_transforms_are_reversible() -> None:
    g = np.random.default_rng(0)
    values = g.integers(0, 50, (2, 9, 8, 3)).astype(np.uint8)
    split = sources.split(values)
    assert split.shape == (6, 9, 8)
    assert (sources.join(split, values.shape) == values).all()
    known = tuple(analysis.source_of(p, True) for p in split)
    assert (sources.from_indices(sources.to_indices(split, known), known) == split).all()


def test_jobs_wait_for_what_they_need() -> None:
    done: list[tuple[int, int]] = []
    first = Job(100, lambda a, b: done.append((0, b)), lambda last: [])
    second = Job(100, lambda a, b: done.append((1, b)), lambda last: [(first, min(100, last + 20))])
    pipeline.run([first, second], 2)
    for i, (job, rows) in enumerate(done):
        if job == 1:
            assert max(b for j, b in done[:i] if j == 0) >= min(100, rows + 20)
    assert {job for job, rows in done if rows == 100} == {0, 1}


def test_a_fault_in_a_job_is_raised() -> None:
    def fail(first: int, last: int) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pipeline.run([Job(50, fail, lambda last: []), Job(50, lambda a, b: None, lambda last: [])], 2)


def test_options_name_the_profile() -> None:
    assert Options(profile="hybrid").profile == "hybrid"
