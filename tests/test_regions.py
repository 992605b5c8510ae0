"""Parts of pictures: only the tiles needed are decoded, and they are what the whole has there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import Signal, UnsupportedError, codec, files
from inrcodec.cli import main
from tests.test_hybrid import photo

PICTURE = photo(70, 90)


@cache
def tiled() -> bytes:
    """The picture in several tiles."""
    return inrcodec.encode(PICTURE, kind="image", effort=2, profile="hybrid", tile=32, verify=False)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_region_is_that_part_of_the_whole(data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, 89)), data.draw(st.integers(0, 69))
    width, height = data.draw(st.integers(1, 90 - left)), data.draw(st.integers(1, 70 - top))
    found = inrcodec.decode(tiled(), region=(left, top, width, height))
    assert np.array_equal(found.samples, PICTURE[top : top + height, left : left + width])


def test_only_the_tiles_needed_are_decoded() -> None:
    opened = codec.open_bytes(tiled())
    assert opened.layout.tile == (32, 32)
    with mock.patch.object(type(opened.decoder), "decode_tile", autospec=True, side_effect=type(opened.decoder).decode_tile) as decode:
        inrcodec.decode(tiled(), region=(33, 5, 20, 20))
    assert decode.call_count == 1


@pytest.mark.parametrize("tile", [16, 40, 1000])
def test_tiles_have_the_size_that_is_asked_for(tile: int) -> None:
    data = inrcodec.encode(PICTURE, kind="image", effort=1, profile="hybrid", tile=tile)
    assert inrcodec.info(data)["tiles"]["shape"] == [min(tile, 70), min(tile, 90)]
    assert np.array_equal(inrcodec.decode(data).samples, PICTURE)


@pytest.mark.parametrize("region", [(0, 0, 91, 1), (90, 0, 1, 1), (0, 0, 0, 5), (-1, 0, 5, 5), (10, 60, 5, 11)])
def test_a_region_outside_is_refused(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(UnsupportedError, match="90 pixels wide and 70 high"):
        inrcodec.decode(tiled(), region=region)


def test_regions_are_of_pictures() -> None:
    sound = inrcodec.encode(np.arange(50, dtype=np.int16), kind="audio", sample_rate=8000)
    with pytest.raises(UnsupportedError, match="only of a picture"):
        inrcodec.decode(sound, region=(0, 0, 1, 1))
    with pytest.raises(ValueError, match="for sounds"):
        inrcodec.decode(tiled(), region=(0, 0, 1, 1), start=1.0)
    with pytest.raises(TypeError, match="in pixels"):
        inrcodec.decode(tiled(), region=(0, 0, 1.5, 1))  # type: ignore[arg-type]


def test_a_tile_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="tile is 8; it can be 16 or more"):
        inrcodec.encode(PICTURE, kind="image", tile=8)


@pytest.mark.parametrize("region", ["33,5,40,20", "40x20+33+5"])
def test_the_command_line_decodes_a_region(tmp_path: Path, region: str) -> None:
    files.write(tmp_path / "a.png", Signal(PICTURE, "image"))
    run = CliRunner().invoke
    assert run(main, ["encode", str(tmp_path / "a.png"), "--tile", "32", "--effort", "2"]).exit_code == 0
    found = run(main, ["decode", str(tmp_path / "a.linr"), "-o", str(tmp_path / "b.png"), "--region", region])
    assert (found.exit_code, found.output) == (0, "")
    assert np.array_equal(files.read(tmp_path / "b.png").samples, PICTURE[5:25, 33:73])


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(tiled())
    output = str(tmp_path / "b.png")
    for region, status, text in (("80,0,20,20", 1, "does not lie inside"), ("1,2,3", 2, "LEFT,TOP,WIDTH,HEIGHT")):
        found = CliRunner().invoke(main, ["decode", str(tmp_path / "a.linr"), "-o", output, "--region", region])
        assert found.exit_code == status
        assert text in found.output
    assert not Path(output).exists()
