"""Comparisons of codecs: what they find is true, and what they print is what they found."""

from __future__ import annotations

import json

import pytest

from inrcodec import FormatError
from inrcodec.compare.result import ARRAYS, LATTICE, PLAIN, SOUND, Comparison, FileResult, Measurement


def example() -> Comparison:
    """Three files and some codecs."""
    return Comparison(
        files=(
            FileResult(
                "a/photo.png",
                LATTICE,
                "image",
                (10, 20, 3),
                "uint8",
                600,
                500,
                (Measurement("PNG", "level 9", 400, 0.1, 0.01, 1000), Measurement("inrcodec", "effort 4", 200, 1.0, 1.1, None)),
                {"FLAC": "takes sound"},
            ),
            FileResult("b.wav", SOUND, "audio", (100, 2), "int16", 400, 444, (Measurement("inrcodec", "effort 4", 100, 1.0, 1.0),)),
            FileResult("c.tif", PLAIN, "stack", (5, 10, 20), "uint8", 1000, 1200, (), {"inrcodec": "timed out"}),
        ),
        missing={"WavPack": "wavpack is not on PATH"},
        refused={"d.jpg": "lossy"},
        versions={"inrcodec": "1.0"},
        machine="one core",
        command="inrcodec bench .",
        threads=1,
        date="2025-01-01T00:00:00+00:00",
    )


def test_comparisons_are_json_and_back() -> None:
    found = example()
    assert Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.groups == [LATTICE, PLAIN, SOUND]
    assert found.codecs() == ["inrcodec", "PNG", "FLAC"]
    assert found.codecs(ARRAYS) == []
    assert [file.places for file in found.files] == [200, 200, 1000]


@pytest.mark.parametrize("change", [{"version": 2}, {"files": [{}]}, {"files": None}, {"strange": 1}, {"files": [1]}])
def test_what_is_no_comparison_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="comparison"):
        Comparison.from_json(example().to_json() | change)
    with pytest.raises(FormatError):
        Comparison.from_json({})
