"""The benchmark of arrays: peers give back what they take, arrays are what they are said to be, and the tables say what was measured."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench import array_data, array_peers, arrays, common
from bench.array_peers import PEERS, Peer, Unsuited, base, pictures, plain
from inrcodec.peers.timing import Result, steady

Samples = npt.NDArray[Any]
G = np.random.default_rng(0)
ARRAYS: dict[str, Samples] = {
    "volume": G.integers(-40, 900, (3, 9, 11)).astype(np.int16),
    "set": np.minimum(G.integers(0, 300, (7, 8, 8)), 255).astype(np.uint8),
    "heights": (np.cumsum(G.integers(-9, 9, (16, 17)), 1) * 1000).astype(np.int32),
    "waves": np.sin(np.arange(4 * 8 * 8) / 20).astype(np.float32).reshape(4, 8, 8),
    "doubles": np.cos(np.arange(300) / 9),
    "halves": np.arange(9000, 12000, dtype=np.uint16).view(np.float16).reshape(50, 60),
    "steps": np.arange(90, dtype=np.int64).reshape(2, 3, 3, 5),
}
NEAR = [p for p in PEERS if not p.apart]
OPTIONAL = ("pcodec", "bzip2")


def missing() -> bool:
    """Whether a package of extra `bench` is not installed."""
    return any(find_spec(name) is None for name in ("pcodec", "numcodecs"))


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_peers_give_arrays_back(array: Samples) -> None:
    took = []
    for peer in NEAR:
        try:
            peer.suits(array)
        except Unsuited:
            continue
        with suppress(Unsuited) if peer.name.startswith(OPTIONAL) and missing() else nullcontext():
            assert array_peers.once(peer, array, 1).size > 0
            took.append(peer.name)
    assert {"Zstandard 19, raw", "Blosc2 Zstandard 9, bitshuffle"} <= set(took)
    assert ("LZMA 9, shuffle" in took) == (array.itemsize > 1)
    pictures_too = array.ndim > 1 and (array.dtype.itemsize < 8 if array.dtype.kind == "f" else base.bits(array) <= 16)
    assert ("JPEG XL 7, slices" in took) == pictures_too
    assert ("zfp, reversible" in took) == (array.dtype.itemsize >= 4)


def test_a_peer_that_loses_a_bit_is_found_out() -> None:
    lossy = Peer("lossy", base.anything, lambda a, threads: [a.tobytes()], lambda s, a, threads: a.astype(np.float32).astype(a.dtype))
    array = np.array([1.0, 1 / 3])
    with pytest.raises(Unsuited, match="does not give it back"):
        array_peers.measure(lossy, array, 1)
    assert array_peers.measure(lossy, np.array([1.0, 0.5]), 1).size == 16


def test_what_a_library_says_is_told() -> None:
    def fail(array: Samples, threads: int) -> list[bytes]:
        raise RuntimeError("no memory\nat all")

    with pytest.raises(Unsuited, match=r"^fails: no memory$"):
        array_peers.measure(Peer("poor", base.anything, fail, lambda s, a, threads: a), np.zeros(3), 1)


def test_zeros_of_both_signs_and_nans_are_told_apart() -> None:
    plus = Peer("plus", base.anything, lambda a, threads: [b""], lambda s, a, threads: a + 0.0)
    with pytest.raises(Unsuited):
        array_peers.measure(plus, np.array([-0.0]), 1)


def test_what_ends_its_process_is_named_and_the_next_one_goes_on() -> None:
    with pytest.raises(Unsuited, match="crashes"):
        array_peers.apart(os._exit, 3)
    assert array_peers.apart(abs, -3) == 3
    lerc = next(p for p in PEERS if p.name.startswith("LERC"))
    assert lerc.apart
    assert array_peers.measure(lerc, ARRAYS["volume"], 1).size > 0


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pcodec", "fpzip", "numcodecs"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("pcodec 12, auto", "bzip2 9, raw"):
        peer = next(p for p in PEERS if p.name == name)
        with pytest.raises(Unsuited, match="is not installed: pip install "):
            array_peers.measure(peer, ARRAYS["doubles"], 1)


@pytest.mark.parametrize("number", [1, 2, 5, 12, 13])
def test_mosaics_hold_all_slices(number: int) -> None:
    array = np.arange(number * 3 * 5).reshape(number, 3, 5)
    laid = pictures.mosaic(array)
    assert laid.shape[0] == 1
    assert laid.size < 2 * array.size + 15 * 4
    assert np.array_equal(laid[0, :3, :5], array[0])
    assert np.array_equal(pictures.unmosaic(laid, array), array)


def test_shuffled_bytes_stand_by_significance() -> None:
    assert plain.shuffled(np.array([0x0102, 0x0304], "<u2")) == bytes([2, 4, 1, 3])
    assert plain.shuffled(np.array([[0x0102], [0x0304]], ">u2")) == bytes([1, 3, 2, 4])


def test_short_measurements_are_made_three_times() -> None:
    times = iter([Result(5, 0.2, 0.1), Result(5, 0.1, 0.3), Result(5, 0.3, 0.2)])
    assert steady(lambda: next(times)) == Result(5, 0.1, 0.1)
    assert steady(lambda: Result(5, 9.0, 0.1)) == Result(5, 9.0, 0.1)


def test_turbulence_has_its_spectrum() -> None:
    field = array_data.turbulence(64, 1.5, 0)
    assert np.array_equal(field, array_data.turbulence(64, 1.5, 0))
    assert not np.array_equal(field, array_data.turbulence(64, 1.5, 1))
    assert np.isclose(field.std(), 1)
    k = np.fft.fftfreq(64, 1 / 64)
    radius = np.sqrt(sum(a**2 for a in np.meshgrid(k, k, k, indexing="ij")))
    power = np.abs(np.fft.fftn(field)) ** 2
    shells = [power[(radius >= n - 0.5) & (radius < n + 0.5)].sum() for n in (5, 6, 12, 24)]
    slope = np.log(shells[2] / shells[0]) / np.log(12 / 5)
    assert -4 < slope < -1.4  # −5/3 less what viscosity takes
    assert shells[3] < shells[2] * 2 ** (-5 / 3)
    smoother = array_data.turbulence(64, 3, 0)
    assert np.abs(np.diff(smoother, 2, 0)).mean() < 0.6 * np.abs(np.diff(field, 2, 0)).mean()


def test_small_pictures_look_as_those_of_mnist() -> None:
    for drawn in (array_data.handwriting(40, 0), array_data.letters(40, 0)):
        assert drawn.shape == (40, 28, 28)
        assert drawn.dtype == np.uint8
        assert 0.1 < (drawn > 0).mean() < 0.4
        assert (drawn.max((1, 2)) > 150).all()
        assert len(np.unique(drawn)) > 100
        for one in drawn:
            rows, columns = one.any(1).nonzero()[0], one.any(0).nonzero()[0]
            assert max(np.ptp(rows), np.ptp(columns)) == 19  # a box of 20 × 20
    assert len(np.unique(array_data.icons(9, 0), axis=0)) == 9


def test_floats_have_the_structure_that_they_are_to_have() -> None:
    sea = array_data.sea(20, np.nan, 0)
    land = np.isnan(sea)
    assert 0.05 < land.mean() < 0.6
    assert (land == land[0]).all()
    assert (array_data.sea(20, 1e20, 0)[land] == np.float32(1e20)).all()
    assert np.array_equal(np.rint(100 * array_data.decimals(16, np.float64, 0)) / 100, array_data.decimals(16, np.float64, 0))
    assert np.array_equal(array_data.counts(16, 0) % 1, np.zeros((8, 16, 16)))
    assert np.isnan(array_data.random_floats(10000, 0)).any()
    for name in ("digits_u8", "digits_f64", "icons_u8", "all_f16", "stations_f64"):
        made = array_data.MADE[name].make()
        assert made.tobytes() == array_data.MADE[name].make().tobytes()
        assert made.dtype == {"u8": np.uint8, "f16": np.float16, "f64": np.float64}[name.split("_")[-1]]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["arrays", *arguments])
    arrays.main()


def test_the_command_writes_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(common, "RESULTS", tmp_path / "results")
    names = ("Zstandard 19, raw", "JPEG XL 7, slices", "zfp, reversible")
    monkeypatch.setattr(arrays, "PEERS", [p for p in PEERS if p.name in names])
    folder = tmp_path / "volumes"
    folder.mkdir()
    np.save(folder / "first.npy", ARRAYS["volume"])
    np.save(folder / "second.npy", ARRAYS["set"])
    kept = tmp_path / "kept.json"
    paths = [str(folder / f"{name}.npy") for name in ("first", "second")]
    run(monkeypatch, *paths, "--only", "volumes", "icons_few*", "--effort", "1", "--threads", "1", "--kept", str(kept), "--out", "try")
    text = (tmp_path / "results" / "try.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert [line.split(" | ")[0] for line in text.splitlines() if line.startswith(("| volumes", "| sets"))] == ["| volumes", "| sets"]
    assert "- does not take int16: zfp, reversible" in text
    assert "### icons_few_u8" in text
    assert "| **inrcodec** |" in text
    known = json.loads(kept.read_text())
    assert len(known) == 3
    for found in known.values():  # what is kept is not measured again
        found["Zstandard 19, raw"] = [1, 1.0, 1.0]
    kept.write_text(json.dumps(known))
    run(monkeypatch, *paths, "--no-made", "--no-ours", "--threads", "1", "--kept", str(kept), "--out", "again")
    text = (tmp_path / "results" / "again.md").read_text(encoding="utf-8")
    assert "ours" not in text.split("## All codecs")[0].split("## Groups")[1]
    assert "| volumes | 2 | 1 042 | 2 |" in text


def test_a_name_that_no_array_has_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "--only", "nothing")
    assert stopped.value.code == 2
    assert "no array is named nothing" in capsys.readouterr().err


def test_ratios_are_of_the_best_peer() -> None:
    case = arrays.Case("x", "g", lambda: ARRAYS["set"])
    peers = {"a": Result(50, 1, 1), "b": Result(40, 2, 1)}
    rows = [
        arrays.Row(case, (100,), "uint8", 100, peers, {}, Result(30, 1, 4)),
        arrays.Row(case, (100,), "uint8", 100, peers, {"c": "crashes"}, None, "too strange"),
    ]
    assert arrays.arrays(rows, True).splitlines()[2].split(" | ")[5:10] == ["b", "40", "0.4000", "30", "0.750"]
    assert "refused: too strange" in arrays.arrays(rows, True)
    group = arrays.groups(rows, True).splitlines()[2].split(" | ")
    assert group[1:8] == ["2", "200", "80", "30", "0.750", "0.750 to 0.750", "0 of 1"]
    assert "- crashes: c" in arrays.detail(rows[1])
