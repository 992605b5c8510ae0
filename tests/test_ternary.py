"""A network that was trained with ternary weights is coded by them, unless another coding is asked for."""

from __future__ import annotations

import numpy as np
import pytest

import inrcodec
from inrcodec.fit.choices import architecture_of, weights_of
from inrcodec.options import Options, goal_of

SAMPLES = np.random.default_rng(0).integers(0, 4, (4, 4), np.uint8)


def chosen(until: str, **given: object) -> tuple[str, int]:
    options, goal = Options(profile="inr", network="bitlinear", **given), goal_of(until)  # type: ignore[arg-type]
    return weights_of(architecture_of(SAMPLES[..., None], 2, options, goal), options, goal)


def test_the_coding_of_ternary_networks() -> None:
    assert chosen("exact") == chosen("rate=8") == chosen("psnr=20") == ("ternary", 0)
    assert chosen("exact", weights="uniform", bits=5) == ("uniform", 5)
    assert chosen("mdl") == ("auto", 0)


@pytest.mark.parametrize("until", ["exact", "rate=400"])
def test_files_of_ternary_networks(until: str) -> None:
    data = inrcodec.encode(SAMPLES, profile="inr", network="bitlinear", until=until, hidden=0 if until != "exact" else 32, steps=40)
    found = inrcodec.info(data)
    assert found["weights"]["coding"] == "ternary"
    if until != "exact":  # not a network that is small enough for 8 bits per weight
        assert 8 * found["bytes"]["weights"] > 0.4 * 400 * SAMPLES.size
