"""The plots of measurements: what they show is what bench/results has, and the plots that are committed are drawn from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from bench import plots, speeds

DOCS = Path(__file__).parent.parent / "docs"


def test_groups_have_the_names_of_their_pictures() -> None:
    """CID22 and the pages were once called screenshots."""
    groups = plots.groups()
    titles = [group.title for group in groups]
    assert len(set(titles)) == len(titles)
    of_cid = next(group for group in groups if group.title.startswith("CID22"))
    assert of_cid.section == "Photographs without a hidden colour lattice"
    assert [group.note for group in groups if "WebP" not in group.sizes and group.base == "JPEG XL"] == ["WebP not measured on all"]


@pytest.mark.parametrize(("module", "data"), [(plots, plots.groups), (speeds, speeds.panels)])
def test_plots_are_drawn_from_the_results(module: object, data: object) -> None:
    """Another version of matplotlib writes other bytes, so what was drawn is compared, by its digest in the file."""
    assert callable(data)
    path = Path(getattr(module, "OUT").relative_to(DOCS.parent))  # noqa: B009
    committed = (DOCS.parent / path).read_text(encoding="utf-8")
    found = re.search(r"drawn from data with SHA-256 ([0-9a-f]{64})", committed)
    assert found is not None
    assert found.group(1) == plots.digest(data()), f"draw it anew: python -m {module.__name__}"  # type: ignore[attr-defined]


def test_the_same_data_give_the_same_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "OUT", tmp_path / "a.svg")
    speeds.main()
    once = speeds.OUT.read_bytes()
    speeds.main()
    assert speeds.OUT.read_bytes() == once


def test_what_lies_on_the_front() -> None:
    point = speeds.Point
    front = speeds.front([point("a", 1, 0.9), point("slow and large", 0.5, 0.95), point("b", 10, 0.95), point("c", 0.1, 0.5)])
    assert [p.name for p in front] == ["c", "a", "b"]


def test_pictures_with_and_without_a_lattice_are_apart() -> None:
    with_, without = (next(p for p in speeds.panels() if p.title.startswith(f"Photographs with{more} a")) for more in ("", "out"))
    assert {point.name for point in with_.points} == {point.name for point in without.points}
    assert all(a.size != b.size for a, b in zip(with_.points, without.points, strict=True) if a.name != "JPEG XL 10")


def test_codecs_of_arrays_took_all_of_a_group() -> None:
    floats = next(panel for panel in speeds.panels() if panel.title.startswith("Fields"))
    names = {point.name for point in floats.points}
    assert {"inrcodec", "fpzip"} <= names
    assert not any(name.startswith("JPEG") for name in names)  # which take no array of one axis
