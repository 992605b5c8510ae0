"""The studies of implicit representations count and lay out what they say, on tiny signals."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import inrcodec
from bench import sound_float
from bench.implicit import bits, crop, figures, paper, speech, watching
from bench.implicit.figures import Curve, Panel
from bench.implicit.watching import Setup
from inrcodec import Signal
from inrcodec.cli import main as command_line
from inrcodec.fit.choices import architecture_of
from inrcodec.kernels.architecture import Architecture
from inrcodec.options import Goal, Options

TINY = Setup(side=5, hidden=24, layers=2, rate=3e-3, steps=12, seeds=2)


# what is seen of a fit


def test_a_fit_is_seen_at_each_step() -> None:
    values = np.random.default_rng(0).integers(0, 16, (5, 5, 1), np.uint8)
    options = TINY.options(network="heads", hidden=64, steps=300)
    found = watching.watched(values, 4, options, look=lambda model, targets: model.architecture.hidden)
    outcome = found.fitted.outcome
    assert outcome.exact_step is not None
    assert found.steps == list(range(outcome.steps + 1))
    assert found.errors.shape == (len(found.steps), 4)
    assert found.looks == [64] * len(found.steps)
    assert outcome.exact_step == watching.first_below(found.steps, found.errors.max(1))
    assert max(s for s in map(found.first, range(4)) if s is not None) <= outcome.exact_step
    assert found.first(0, 1.0) == 0


def test_seeing_does_not_change_a_fit() -> None:
    values = np.random.default_rng(0).integers(0, 16, (5, 5, 1), np.uint8)
    plain, seen = watching.fit(values, 4, TINY.options()), watching.watched(values, 4, TINY.options())
    assert plain.outcome.bit_errors == seen.fitted.outcome.bit_errors
    assert plain.outcome.code_bits == seen.fitted.outcome.code_bits


def test_a_step_that_is_never_reached() -> None:
    assert watching.first_below([0, 1, 2], np.array([0.5, 0.2, 0.3])) is None
    assert watching.first_below([0, 1, 2], np.array([0.5, 0.2, 0.3]), 0.2) == 1


@pytest.mark.parametrize(
    ("found", "text"),
    [([4, 2, 9], "4 (2–9)"), ([4], "4"), ([None, None], "not reached"), ([4, None], "4 (4–4, 1 of 2 not)")],
)
def test_the_median_of_seeds(found: list[float | None], text: str) -> None:
    assert watching.middle(found) == text


def test_rank_correlation() -> None:
    assert watching.rank_correlation([1, 2, 3], [5, 7, 90]) == pytest.approx(1)
    assert watching.rank_correlation([1, 2, 3], [5, 5, 5]) != watching.rank_correlation([1, 2, 3], [5, 5, 5])
    assert watching.rank_correlation([1, 2, 3, 4], [4, 2, 2, 1]) == pytest.approx(-0.9486833)


@pytest.mark.parametrize("depth", [1, 4, 12, 16])
def test_the_most_significant_bits_are_kept(depth: int) -> None:
    samples = np.array([[0, 65535], [4096, 32768]], np.uint16)
    values = watching.planes_of(samples, depth)
    assert values.shape == (2, 2, 1)
    assert values[0, 1, 0] == 2**depth - 1
    assert (values[..., 0] == samples >> (16 - depth)).all()


def test_a_plot_is_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    panels = [Panel("a", "steps", "errors", [Curve("b", range(100), [1 / (i + 1) for i in range(100)], 0.5)], "y", (0, 50))]
    first = figures.draw("x", "title", panels, tmp_path).read_bytes()
    assert figures.draw("x", "title", panels, tmp_path).read_bytes() == first
    assert first.startswith(b"<?xml")
    assert b" \n" not in first


@given(st.integers(1, 500))
def test_curves_keep_their_ends(n: int) -> None:
    x, y = figures.thinned(Curve("", range(n), [2.0 * i for i in range(n)], 0))
    assert (x[0], x[-1]) == (0, n - 1)
    assert y == [2 * a for a in x]
    assert len(x) <= figures.POINTS


# the studies of bit-planes


def test_where_planes_are_out_of_order() -> None:
    assert bits.unordered([1, 2, 2, 5]) == []
    assert bits.unordered([3, 2, None, None, 9]) == ["1 → 2 (3 → 2)", "4 → 5 (never → 9)"]


@pytest.mark.parametrize("period", bits.PERIODS)
def test_bits_alternate_with_their_period(period: int) -> None:
    values, each = bits.alternating(8, period, 3)
    planes = values.reshape(-1, 1) >> np.arange(15, -1, -1) & 1
    assert (planes == planes[:, :1] ^ (np.arange(16) // period & 1)).all()
    assert 0 < planes[:, 0].sum() < 64
    assert (each == period).all()


def test_pixels_have_periods_of_their_own() -> None:
    values, each = bits.alternating(8, None, 3)
    planes = values.reshape(-1, 1) >> np.arange(15, -1, -1) & 1
    assert set(each.tolist()) == set(bits.PERIODS)
    assert (np.abs(np.diff(planes)).sum(1) == 16 // each - 1).all()


@pytest.mark.parametrize(("n", "axes", "ratio"), [(1, 2, 1), (2, 2, 81), (8, 2, 255**4), (3, 1, 49)])
def test_the_bound(n: int, axes: int, ratio: int) -> None:
    assert bits.bound(n, axes) == ratio == round((2 ** (n + 1) - 2) ** (2 * axes) / (2**2 - 2) ** (2 * axes))


@pytest.mark.parametrize("name", bits.STUDIES)
def test_a_study_gives_tables_and_curves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "DEPTHS", (1, 2))
    study = bits.STUDIES[name][0](TINY)
    assert study.panels
    assert all(panel.curves and all(len(c.x) == len(c.y) > 0 for c in panel.curves) for panel in study.panels)
    tables = [part for part in study.parts if part.startswith("| ")]
    assert tables
    for part in tables:
        assert len({line.count("|") for line in part.splitlines()}) == 1
    assert len(tables) == (4 if name == "bias" else 1)


def test_a_study_is_the_same_again() -> None:
    assert bits.spectral(TINY).parts == bits.spectral(TINY).parts


# the network of the paper


@pytest.mark.parametrize("depth", [8, 16])
def test_the_network_of_the_paper_has_its_size(depth: int) -> None:
    values = np.zeros((8, 8, 3), np.uint16)
    a = architecture_of(values, depth, Options(profile="inr", **paper.NETWORKS["paper"]), Goal("exact"))
    assert isinstance(a, Architecture)
    assert a.parameters == 1_316_867
    assert [m.outputs for m in a.matrices] == [512] * 6 + [3]
    assert a.coordinates == 3


def test_the_paper_beside_heads() -> None:
    rows = paper.measure(
        4, 60, "cpu", {"paper": paper.NETWORKS["paper"] | {"hidden": 16, "steps": 2}, "heads": {"network": "heads", "steps": 3}}
    )
    assert [row[0] for row in rows] == ["4 × 4, 8 bits"] * 2 + ["4 × 4, 16 bits"] * 2
    assert [row[6] for row in rows] == [2, 3] * 2
    assert {len(row) for row in rows} == {len(paper.HEADS)}


# the crop


SIGNAL = Signal(np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8), "image")
FEW_STEPS: dict[str, Any] = {"steps": 4, "seconds": 60.0}


def test_all_networks_and_codings_of_the_crop() -> None:
    for until in ("exact", "mdl"):
        for kind in crop.NETWORKS:
            rows = crop.measure(
                SIGNAL, kind, until, {**FEW_STEPS, **({"hidden": 8} if kind != "default" else {})}, crop.codings_of(kind, until)[:2]
            )
            assert [row[0] for row in rows] == [kind] * len(rows)
            for row in rows:
                assert len(row) == len(crop.HEADS)
                assert row[5] > row[3] + row[4] > 0


def test_the_command_line_writes_the_same_file(tmp_path: Path) -> None:
    given: dict[str, Any] = {**FEW_STEPS, "hidden": 8}
    row = crop.measure(SIGNAL, "heads", "mdl", given, [("uniform", 5)])[0]
    source, target = tmp_path / "crop.png", tmp_path / "crop.linr"
    inrcodec.files.write(source, SIGNAL)
    words = shlex.split(str(row[-1]).strip("`"))
    assert words[:2] == ["inrcodec", "encode"]
    words[words.index("IN")] = str(source)
    result = CliRunner().invoke(command_line, [*words[1:], "-o", str(target), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert target.stat().st_size == row[5]


def test_a_command_names_only_what_is_changed() -> None:
    assert crop.command(Options(profile="inr")) == "`inrcodec encode IN --profile inr`"
    options = Options(
        profile="inr", network="heads", body="filters", weights="uniform", bits=5, seconds=20.0, learning_rate=1e-3, colour=True
    )
    expected = "--weights uniform --bits 5 --network heads --body filters --colour --learning-rate 0.001 --seconds 20"
    assert crop.command(options) == f"`inrcodec encode IN --profile inr {expected}`"


def test_speech_like_sound_has_voice_hiss_and_pauses() -> None:
    x = speech.speech()
    assert (x.dtype.name, x.shape) == ("int16", (speech.RATE,))
    assert np.array_equal(x, speech.speech())

    def loud(start: float, stop: float) -> float:
        return float(np.abs(x[int(start * speech.RATE) : int(stop * speech.RATE)]).mean())

    assert max(loud(0, 0.05), loud(0.66, 0.72), loud(0.96, 1)) < 20 < 500 < min(loud(0.1, 0.25), loud(0.59, 0.62), loud(0.8, 0.9))


def test_floats_are_made_in_the_ways_that_their_names_say() -> None:
    whole = Signal(np.arange(-3000, 3000, dtype=np.int16)[:, None], "audio", 16, 8000)
    found = {way: sound_float.made(whole, way) for way in sound_float.WAYS}
    assert {way: x.dtype.name for way, x in found.items()} == dict.fromkeys(sound_float.WAYS[:3], "float32") | {"fade, 64": "float64"}
    forms = {way: sound_float.coded(x, 0, 8000, 1)[1] for way, x in found.items()}
    assert [forms[way] for way in sound_float.WAYS[:3]] == ["fixed", "product", "split"]
