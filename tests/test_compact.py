"""Compact files, and the brief form of plans of pictures that they use."""

from __future__ import annotations

import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import FormatError, Signal, codec, compact, container, damage, preview
from inrcodec.cli import main
from inrcodec.header import SHORT_DIGEST, read_header
from inrcodec.options import Options
from inrcodec.profiles import registered
from inrcodec.profiles.hybrid.pictures import analysis, contexts, plan, sources
from inrcodec.profiles.hybrid.pictures.plan import PictureModel, PicturePlan, Plane
from inrcodec.profiles.hybrid.pictures.sources import Source
from inrcodec.profiles.hybrid.pictures.transforms import Direct, Palette

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "formats" / "standalone"))

import linr  # noqa: E402  (it is no package: its folder has to be in the path first)


def icon(side: int = 12, channels: int = 4, dtype: Any = np.uint8) -> Signal:
    """A disc on nothing."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip(side / 2 - np.hypot(x, y), 0, 1)
    top = np.iinfo(dtype).max
    planes = np.stack([np.where(alpha > 0, top // 3 + 5 * i * y, 0) for i in range(3)] + [top * alpha], 2)[:, :, 4 - channels :]
    whole = np.rint(planes).astype(dtype)
    return Signal(np.ascontiguousarray(whole if channels > 1 else whole[:, :, 0]), "image")


def closed(content: bytes) -> bytes:
    """A compact file with a right checksum. content: what is between the magic and the CRC."""
    whole = container.COMPACT + content
    return whole + struct.pack("<I", zlib.crc32(whole))


# --- round trips --------------------------------------------------------------------------------------------------


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """Signals of all kinds, small."""
    g = np.random.default_rng(draw(st.integers(0, 99)))
    kind = draw(st.sampled_from(("image", "audio", "array")))
    few = draw(st.sampled_from((1, 2, 5, 1000)))
    fields = draw(st.dictionaries(st.text(max_size=4), st.binary(max_size=9), max_size=2))
    if kind == "image":
        depth = draw(st.sampled_from((1, 2, 4, 7, 8, 12, 16)))
        dtype: Any = (
            bool if depth == 1 else draw(st.sampled_from(("u1", "<u2", ">u2"))) if depth <= 8 else draw(st.sampled_from(("<u2", ">u2")))
        )
        shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)), *draw(st.sampled_from(((), (1,), (2,), (3,), (4,)))))
        return Signal(
            (g.integers(0, min(few, 1 << depth), shape) * ((1 << depth) // few or 1) % (1 << depth)).astype(dtype),
            "image",
            depth,
            None,
            fields,
        )
    if kind == "audio":
        dtype = draw(st.sampled_from(("i1", "i2", "i4", "f4")))
        shape = (draw(st.integers(1, 60)), *draw(st.sampled_from(((), (1,), (2,), (3,)))))
        return Signal(g.integers(-few, few, shape).astype(dtype), "audio", 0, draw(st.sampled_from((1, 8000, 44100))), fields)
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    return Signal(g.integers(0, few, shape).astype(draw(st.sampled_from(("u1", "u2", "i8", "f2", "f8")))), "array", 0, None, fields)


@settings(max_examples=80, deadline=None)
@given(signals(), st.sampled_from(("auto", "hybrid", "stored")), st.integers(1, 5))
def test_round_trips(signal: Signal, profile: str, effort: int) -> None:
    try:
        data = codec.encode(signal, Options(profile=profile, effort=effort, threads=1, verify=False))
    except inrcodec.UnsupportedError:
        return
    assert container.is_compact(data)
    assert inrcodec.decode(data).equals(signal)
    assert sum(inrcodec.info(data)["bytes"].values()) == len(data)
    samples, about = linr.decode(data)
    assert samples.dtype == signal.samples.dtype
    assert samples.tobytes() == signal.samples.tobytes()
    assert about["metadata"] == signal.metadata


def test_the_sections_are_those_of_the_normal_form() -> None:
    for signal in (icon(), icon(9, 1), icon(7, 3, np.uint16), Signal(np.arange(50, dtype=np.int16), "audio", 16, 8000)):
        short = codec.encode(signal, Options(profile="stored"))
        head, *others = compact.sections_of(short)
        long_head, *long = compact.sections_of(codec.encode(signal, Options(profile="stored", compact=False)))
        assert container.is_compact(short)
        assert (head.type, others[0].type) == (b"HEAD", b"TIDX")
        told, long_told = read_header(head.content), read_header(long_head.content)
        assert told.digest == long_told.digest[:SHORT_DIGEST]
        assert (told.kind, told.dtype, told.shape, told.sample_rate) == (
            long_told.kind,
            long_told.dtype,
            long_told.shape,
            long_told.sample_rate,
        )
        assert len(long) == len(others) == 2


def test_every_type_takes_one_byte() -> None:
    shapes = {0: (3, 2), 1: (4,), 2: (5,)}
    for form, (fixed, last) in enumerate(compact.USUAL):
        sizes = bytes([*shapes[fixed[0]], *([last] if last else [])])
        head = bytes([0]) + fixed + sizes + b"\x07" * (fixed[0] == 1)
        head += (b"\xff\xff\3" if fixed[1] & 3 == 2 else b"\0") + bytes([1, fixed[2]])
        index = b"".join(map(container.varint, [*shapes[fixed[0]], 3]))
        made = [container.Section(b"HEAD", head + bytes(range(32))), container.Section(b"TIDX", index), container.Section(b"TILE", b"abc")]
        data = compact.write(made)
        assert data is not None
        assert data[4] == form
        assert compact.sections_of(data) == [container.Section(b"HEAD", head + bytes(range(4))), *made[1:]]
        read_header(compact.sections_of(data)[0].content)


def test_profiles_have_the_sections_that_compact_files_tell() -> None:
    """A network of profile inr is of use even if its file is cut: it is never compact."""
    assert {p.number: p.section for p in registered() if not p.renders} == compact.OWN


@pytest.mark.parametrize(
    ("signal", "options"),
    [
        (icon(64), {"profile": "stored"}),
        (Signal(np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8), "image"), {}),
        (icon(40), {"tile": 16, "profile": "hybrid"}),
        (icon(), {"compact": False}),
    ],
    ids=["compressible", "large", "tiles", "asked"],
)
def test_what_is_not_compact(signal: Signal, options: dict[str, Any]) -> None:
    data = codec.encode(signal, Options(**options))
    assert container.is_compact(data) == (options == {"profile": "stored"})
    assert inrcodec.decode(data).equals(signal)


def test_a_file_with_a_preview_is_not_compact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its section has no place in a compact file."""
    monkeypatch.setattr(preview, "SHARE", 1)
    data = codec.encode(Signal(np.full((40, 40, 3), 7, np.uint8), "image"), Options(preview=True, profile="stored"))
    assert len(data) < compact.LARGEST
    assert not container.is_compact(data)
    sections = container.read(data)
    assert preview.TYPE in [section.type for section in sections]
    assert compact.write(sections) is None
    others = [section for section in sections if section.type != preview.TYPE]
    assert compact.write(others) is not None
    assert compact.write([*others, container.Section(b"newx", b"?")]) is None


def test_a_reader_of_frames_refuses_compact_files() -> None:
    with pytest.raises(FormatError, match="compact"):
        container.read(codec.encode(icon(), Options()))


def test_small_files_are_small() -> None:
    whole = len(codec.encode(icon(), Options(compact=False)))
    assert len(codec.encode(icon(), Options())) < whole - 70
    assert len(codec.encode(Signal(np.full((32, 32, 3), 7, np.uint8), "image"), Options())) < 20


# --- damage -------------------------------------------------------------------------------------------------------


def test_every_changed_byte_is_found() -> None:
    data = codec.encode(icon(), Options())
    for i in range(len(data)):
        for other in (data[i] ^ 1, data[i] ^ 128, data[i] ^ 255):
            with pytest.raises(FormatError):
                inrcodec.info(data[:i] + bytes([other]) + data[i + 1 :])


def test_every_cut_is_found() -> None:
    data = codec.encode(icon(), Options())
    for i in range(len(data)):
        with pytest.raises(FormatError, match="empty" if i == 0 else "truncated"):
            inrcodec.info(data[:i])
        with pytest.raises(FormatError):
            inrcodec.salvage(data[:i])
    with pytest.raises(FormatError, match="checksum"):
        inrcodec.info(data + b"\0")


def test_text_mode_is_recognized() -> None:
    data = codec.encode(icon(), Options())
    for changed in (data.replace(b"\n", b"\r\n"), data.replace(b"\n", b"\r"), bytes(b & 127 for b in data)):
        with pytest.raises(FormatError, match="text mode"):
            inrcodec.info(changed)


def test_an_intact_file_is_salvaged_whole() -> None:
    found = inrcodec.salvage(codec.encode(icon(), Options()))
    assert found.signal.equals(icon())
    assert (found.lost, found.faults) == ((), ())
    with pytest.raises(FormatError, match="checksum"):
        damage.salvage(codec.encode(icon(), Options())[:-1] + b"\0")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bytes([192]) + bytes(12), "newer"),
        (bytes([15 | 16]) + bytes(12), "header and a value map"),
        (bytes([15, 99]) + bytes(12), "truncated"),
        (bytes([15, 1]) + bytes(12), "dimensions"),
        (bytes([3]), "truncated"),
        (bytes([3, 2, 2]) + bytes(4), "mode"),
        (bytes([3 | 32, 2, 2]) + bytes(4) + b"\x09", "truncated"),
        (bytes([3 | 128, 2, 2]) + bytes(4) + b"\x09", "truncated"),
        (bytes([3, 0, 2]) + bytes(4) + b"\0", "out of range|empty"),
        (bytes([3, 2, 2]) + bytes(4) + b"\0abcd", "digest"),
    ],
)
def test_faults(content: bytes, told: str) -> None:
    with pytest.raises(FormatError, match=told) as caught:
        inrcodec.decode(closed(content))
    assert "\n" not in str(caught.value)


def test_a_head_has_a_whole_digest_or_four_bytes() -> None:
    head, *_ = compact.sections_of(codec.encode(icon(), Options(compact=False)))
    assert len(read_header(head.content[:-28]).digest) == 4
    for cut in (1, 12, 27, 29):
        with pytest.raises(FormatError):
            read_header(head.content[:-cut])


# --- the brief form of plans --------------------------------------------------------------------------------------


def alike(a: PicturePlan, b: PicturePlan) -> bool:
    """Whether two plans say the same, however they are written."""

    def told(p: PicturePlan) -> Any:
        tables = [None if (t := s.expanded()) is None else t.tolist() for s in p.sources]
        colours = p.transform.colours.tolist() if isinstance(p.transform, Palette) else None
        return [(s.largest, s.least) for s in p.sources], tables, colours, p.planes, p.model, p.brief

    return bool(told(a) == told(b))


def plan_of(known: tuple[Source, ...], planes: list[Plane], model: PictureModel | None = None, colours: Any = None) -> PicturePlan:
    transform = Direct() if colours is None else Palette(np.array(colours))
    return PicturePlan(transform, known, tuple(planes), model or plan.presets()[0], brief=8)


FULL, TABLE = Source(255), Source(2, 0, np.array([3, 9, 200]))
PLANS = {
    "full": (plan_of((FULL,) * 3, plan.usual_planes((FULL,) * 3, False)), 1),
    "alpha first": (plan_of((FULL,) * 4, plan.usual_planes((FULL,) * 4, True)), 1),
    "opaque": (plan_of((FULL, Source(0, 255)), plan.usual_planes((FULL, Source(0, 255)), False)), 3),
    "ranges": (plan_of((Source(9, 4), Source(9, 4)), plan.usual_planes((Source(9, 4),) * 2, False)), 6),
    "tables": (plan_of((TABLE, TABLE), plan.usual_planes((TABLE, TABLE), False)), None),
    "large table": (plan_of((Source(127, 0, np.arange(0, 256, 2)),), [Plane(0, 127)]), None),
    "table of all": (plan_of((Source(255, 0, np.arange(256)),), [Plane(0, 255)]), None),
    "planes told": (plan_of((FULL, FULL), [Plane(1, 255, (), True), Plane(0, 255, (0,))]), 12),
    "model told": (plan_of((FULL,), [Plane(0, 255)], PictureModel(least_squares=2, contexts="graphics", lines=9)), 8),
    "palette": (plan_of((FULL,) * 3, [Plane(0, 1)], plan.presets()[9], [[1, 2, 3], [4, 5, 6]]), 8),
    "large palette": (plan_of((FULL,) * 3, [Plane(0, 255)], plan.presets()[9], [[i, i, i] for i in range(256)]), None),
}


@pytest.mark.parametrize("name", PLANS)
def test_brief_plans(name: str) -> None:
    made, size = PLANS[name]
    content = plan.write(made)
    assert content[0] & plan.BRIEF
    assert size is None or len(content) == size
    assert alike(plan.read(content, len(made.sources), 8), made)
    assert len(content) < len(plan.write(PicturePlan(made.transform, made.sources, made.planes, made.model)))
    with pytest.raises(FormatError):
        plan.read(content + b"\0", len(made.sources), 8)
    for cut in range(len(content)):
        with pytest.raises(FormatError):
            [s.expanded() for s in plan.read(content[:cut] or b"\x80", len(made.sources), 8).sources]
    again = plan.read(content, len(made.sources), 8)
    assert alike(plan.read(plan.write(again), len(made.sources), 8), made)  # also with tables as they were read


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bytes([0x80 | len(plan.presets()), 0, 0]), "unknown setting"),
        (bytes([0x80, sources.SAME, 0]), "unknown setting"),
        (bytes([0x80, 0, 5]), "unknown setting"),
        (bytes([0x80, 0, sources.PLAIN, 9, 8, 255, 128]), "not valid"),
        (bytes([0xE9, 4]) + bytes(1), "truncated"),
        (bytes([0xA9, 3, 0, 0, 7, 0, 2, 8, 0]), "out of range"),
        (bytes([0xE9, 0]), "no colours"),
        (bytes([0xE9, 1]), "no colours"),
        (bytes([0xE9, 1, 3, 59, 0, 3]), "palette"),
    ],
)
def test_faulty_brief_plans(content: bytes, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        plan.read(content, 2, 8)


def test_a_palette_ends_with_zeros() -> None:
    assert plan.read(bytes([0xE9, 2, 0b10110000]), 2, 2).planes == (Plane(0, 0),)
    with pytest.raises(FormatError, match="filled with zeros"):
        plan.read(bytes([0xE9, 2, 0b10110001]), 2, 2)


def test_all_models_of_the_encoder_are_presets() -> None:
    """Else they take 8 to 16 bytes more: add them at the end of `presets`, to SPEC.md and to the standalone decoder."""
    wanted = {analysis.model_of(effort, *kind) for effort in range(1, 6) for kind in ((False, False), (True, False), (True, True))}
    assert wanted <= set(plan.presets())
    assert len(set(plan.presets())) == len(plan.presets()) <= plan.WRITTEN_OUT


def test_spec_has_the_presets() -> None:
    spec = (ROOT / "SPEC.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (plain|around|bits) \| (\d) \| (\d+) \| (\d) \| (\d+) \|$", spec, re.M)
    codings = {"bits": plan.BITS, "around": plan.AROUND, "plain": plan.PLAIN}
    names = list(contexts.NAMES)
    told = [(codings[coding], *map(int, others)) for _, coding, *others in rows]
    assert [int(row[0]) for row in rows] == list(range(len(plan.presets())))
    assert told == [(m.coding, m.least_squares, m.units, names.index(m.contexts), m.lines) for m in plan.presets()]
    for m in plan.presets():
        assert (m.learning, m.coordinates) == ((20, True) if m.units else (0, False))


# --- the command line ---------------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path) -> None:
    picture, coded = tmp_path / "a.npy", tmp_path / "a.linr"
    np.save(picture, icon().samples)
    run = CliRunner()
    assert run.invoke(main, ["encode", str(picture), "--kind", "image"]).exit_code == 0
    assert container.is_compact(coded.read_bytes())
    assert run.invoke(main, ["verify", str(coded)]).exit_code == 0
    assert "compact file" in run.invoke(main, ["info", str(coded)]).output
    assert run.invoke(main, ["encode", str(picture), "--kind", "image", "--no-compact", "--force"]).exit_code == 0
    assert not container.is_compact(coded.read_bytes())
    assert run.invoke(main, ["verify", str(coded)]).exit_code == 0
