"""What is got out of damaged files: every intact tile, and where the others were."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import FormatError, codec, compact, container, damage
from inrcodec.compression import compress
from inrcodec.container import varint
from inrcodec.header import read_metadata
from inrcodec.limits import Limits
from inrcodec.options import Options
from inrcodec.profiles import stored
from inrcodec.profiles.hybrid.sound import analysis
from inrcodec.signal import Signal


def picture(height: int = 40, width: int = 30) -> Signal:
    rng = np.random.default_rng(0)
    return Signal(rng.integers(0, 200, (height, width, 3), np.uint8), "image", metadata={"text/Title": b"A title"})


@pytest.fixture(scope="module")
def file() -> tuple[bytes, Signal]:
    """A stored picture of 16 tiles, 10 × 8 places at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "TILE_PLACES", 3 * 80)
        signal = picture()
        data = codec.encode(signal, Options(profile="stored"))
    assert codec.info(data)["tiles"]["count"] == 16
    return data, signal


def spans(data: bytes) -> list[tuple[bytes, int, int]]:
    """(type, first byte, last + 1) of each section."""
    found, position = [], container.FIRST
    for section in container.read(data):
        found.append((section.type, position, position + section.size))
        position += section.size
    return found


def check(found: damage.Salvaged, signal: Signal) -> None:
    """What is said to be intact is right; the rest is 0, and is listed."""
    samples = found.signal.samples
    assert (samples[found.intact] == signal.samples[found.intact]).all()
    assert not samples[~found.intact].any()
    listed = np.zeros_like(found.intact)
    for lost in found.lost:
        listed[lost.box] = True
    assert (listed == ~found.intact).all()


def test_an_intact_file(file: tuple[bytes, Signal]) -> None:
    data, signal = file
    found = damage.salvage(data)
    assert found.signal.equals(signal)
    assert (found.lost, found.faults, bool(found.intact.all())) == ((), (), True)


def test_a_file_cut_anywhere_gives_all_tiles_before_the_cut(file: tuple[bytes, Signal]) -> None:
    data, signal = file
    tiles = [span for span in spans(data) if span[0] == b"TILE"]
    borders = {place + near for _, start, stop in tiles for place in (start, stop) for near in (-1, 0, 1)} | {len(data) - 1}
    for cut in sorted({*range(0, len(data), 7), *borders} - {len(data), len(data) + 1}):
        if cut < tiles[0][1]:
            with pytest.raises(inrcodec.FormatError):
                damage.salvage(data[:cut])
            continue
        found = damage.salvage(data[:cut])
        assert [lost.tile for lost in found.lost] == [i for i, (_, _, stop) in enumerate(tiles) if stop > cut]
        assert found.faults
        check(found, signal)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4))
@settings(max_examples=150)
def test_changed_bytes_cost_their_tiles_only(file: tuple[bytes, Signal], changes: list[tuple[int, int]]) -> None:
    data, signal = file
    parts = spans(data)
    changed = bytearray(data)
    for place, mask in changes:
        changed[container.FIRST + place % (len(data) - container.FIRST)] ^= mask
    hurt = [kind for kind, start, stop in parts if changed[start:stop] != data[start:stop]]
    tiles = [span for span in parts if span[0] == b"TILE"]
    if b"HEAD" in hurt or (b"TIDX" in hurt and b"TILE" in hurt):
        with pytest.raises(inrcodec.FormatError):
            damage.salvage(bytes(changed))
        return
    found = damage.salvage(bytes(changed))
    assert [lost.tile for lost in found.lost] == [i for i, (_, a, b) in enumerate(tiles) if changed[a:b] != data[a:b]]
    assert dict(found.signal.metadata) == ({} if b"meta" in hurt else dict(signal.metadata))
    check(found, signal)


@pytest.mark.parametrize("more", [b"", b"some bytes that do not belong here"])
def test_lost_and_added_bytes_do_not_shift_the_tiles(file: tuple[bytes, Signal], more: bytes) -> None:
    data, signal = file
    tiles = [span for span in spans(data) if span[0] == b"TILE"]
    _, start, stop = tiles[5]
    found = damage.salvage(data[: start + 9] + more + data[stop - 9 :])
    assert [lost.tile for lost in found.lost] == [5]
    check(found, signal)
    swapped = data[: tiles[3][1]] + data[tiles[4][1] :]  # a whole section is gone
    assert [lost.tile for lost in damage.salvage(swapped).lost] == [3]


def test_a_file_of_the_same_kind_inside_a_damaged_tile_is_not_taken_for_tiles(file: tuple[bytes, Signal]) -> None:
    inner = file[0]
    noise = np.random.default_rng(0).integers(0, 256, 10_000, np.uint8)
    signal = Signal(np.concatenate([noise, np.frombuffer(inner, np.uint8), noise[::-1]]))
    outer = bytearray(codec.encode(signal, Options(profile="stored", effort=1)))
    place = outer.find(inner[40:80])
    assert place > 0  # Brotli cannot make it shorter, so it is there as it is
    outer[place - 20] ^= 1
    found = damage.salvage(bytes(outer))
    assert [lost.tile for lost in found.lost] == [0]
    check(found, signal)


def test_a_sound_says_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "tile_frames", lambda *_: 500)
    wave = np.random.default_rng(0).integers(-100, 100, (1600, 2), np.int16)
    data = codec.encode(Signal(wave, "audio", 16, 1000), Options(profile="hybrid", effort=1))
    _, start, _ = [span for span in spans(data) if span[0] == b"TILE"][2]
    found = damage.salvage(data[: start + 20] + b"????" + data[start + 24 :])
    assert [(lost.tile, lost.where) for lost in found.lost] == [(2, "1.000 to 1.500 s")]
    check(found, Signal(wave, "audio", 16, 1000))


def test_a_tile_that_does_not_decode_is_lost_although_its_checksum_matches(file: tuple[bytes, Signal]) -> None:
    data, signal = file
    parts = compact.sections_of(data)
    index = [i for i, part in enumerate(parts) if part.type == b"TILE"][7]
    parts[index] = container.Section(b"TILE", b"\x63" + parts[index].content[1:])
    found = damage.salvage(container.write(parts))
    assert [(lost.tile, lost.why) for lost in found.lost] == [(7, "a tile has no valid mode")]
    check(found, signal)


def test_wrong_samples_are_told_though_nothing_is_missing(file: tuple[bytes, Signal]) -> None:
    parts = compact.sections_of(file[0])
    head = parts[0].content
    found = damage.salvage(container.write([container.Section(b"HEAD", head[:-1] + bytes([head[-1] ^ 1])), *parts[1:]]))
    assert not found.lost
    assert "do not match their digest" in found.faults[0]


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        (lambda parts: [parts[0], *parts], "section HEAD is there twice"),
        (lambda parts: [*parts[:2], container.Section(b"NETW", b"?"), *parts[2:]], "section NETW that its profile does not use"),
        (lambda parts: [*parts, container.Section(b"Abcd", b"")], "it needs section Abcd"),
        (lambda parts: [part for part in parts if part.type != b"TIDX"], "it lacks its header or tile index"),
    ],
    ids=["twice", "of another profile", "unknown", "no index"],
)
def test_a_file_that_is_refused_has_a_fault(sections: Any, fault: str) -> None:
    """Also if nothing that is needed is damaged."""
    signal = Signal(np.arange(6, dtype=np.uint8).reshape(2, 3), "image")
    data = container.write(sections(compact.sections_of(codec.encode(signal, Options(profile="stored")))))
    with pytest.raises(inrcodec.FormatError):
        inrcodec.decode(data)
    found = damage.salvage(data)
    assert fault in found.faults[0]
    check(found, signal)


def test_samples_that_the_depth_does_not_allow_are_a_fault_of_the_file() -> None:
    """It was an UnsupportedError."""
    data = codec.encode(Signal(np.arange(200, 206, dtype=np.uint8).reshape(2, 3), "image"), Options(profile="stored"))
    head, *others = compact.sections_of(data)
    assert head.content[3] == 8
    shallow = container.write([container.Section(b"HEAD", head.content[:3] + b"\4" + head.content[4:]), *others])
    with pytest.raises(inrcodec.FormatError, match="do not fit in 4 bits"):
        damage.salvage(shallow)


@pytest.mark.parametrize("type_", [b"HEAD", b"HYBR"])
def test_what_cannot_be_missed_is_named(type_: bytes) -> None:
    data = codec.encode(Signal(np.arange(5000, dtype=np.int16) % 7 * 100), Options(profile="hybrid", effort=1, compact=False))
    *_, stop = next(span for span in spans(data) if span[0] == type_)
    with pytest.raises(inrcodec.FormatError, match="cannot be salvaged without"):
        damage.salvage(data[: stop - 1] + bytes([data[stop - 1] ^ 1]) + data[stop:])


def test_other_bytes_are_refused() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n", bytes(1000)):
        with pytest.raises(inrcodec.FormatError):
            damage.salvage(data)


def test_many_markers_do_not_take_for_ever(file: tuple[bytes, Signal]) -> None:
    marker = b"TILE" + container.varint(150_000)
    data = file[0][: spans(file[0])[3][1]] + marker * 40_000
    found: Any = container.scan(data, (b"TILE",))
    assert found.damaged


@pytest.fixture(scope="module")
def alike() -> tuple[bytes, Signal]:
    """A file whose eight tiles have the same length, as those of noise do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "TILE_PLACES", 500)
        signal = Signal(np.random.default_rng(1).integers(0, 256, 4000, np.uint8))
        data = codec.encode(signal, Options(profile="stored"))
    lengths = [stop - start for kind, start, stop in spans(data) if kind == b"TILE"]
    assert len(lengths) == 8
    assert len(set(lengths)) == 1
    return data, signal


def tiles_of(data: bytes) -> list[tuple[int, int]]:
    return [(start, stop) for kind, start, stop in spans(data) if kind == b"TILE"]


@pytest.mark.parametrize("gone", range(8))
def test_tiles_that_may_be_others_are_lost(alike: tuple[bytes, Signal], gone: int) -> None:
    """The tile behind a lost one of the same length was taken for it, and wrong samples for intact ones."""
    data, signal = alike
    start, stop = tiles_of(data)[gone]
    found = damage.salvage(data[:start] + data[stop:])
    assert len(found.lost) == 8
    assert "cannot be told" in found.lost[0].why
    check(found, signal)


@given(
    removed=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 10**6), st.integers(1, 200)), min_size=1, max_size=2, unique_by=lambda found: found[0]
    ),
    added=st.binary(max_size=20),
)
@settings(max_examples=100)
def test_bytes_that_are_lost_in_tiles_of_one_length(alike: tuple[bytes, Signal], removed: list[tuple[int, int, int]], added: bytes) -> None:
    data, signal = alike
    damaged = data
    for tile, place, count in sorted(removed, reverse=True):
        start, stop = tiles_of(data)[tile]
        at = start + 8 + place % (stop - start - 220)
        damaged = damaged[:at] + added + damaged[at + count :]
    found = damage.salvage(damaged)
    hurt = {tile for tile, _, _ in removed}
    lost = {lost.tile for lost in found.lost}
    assert hurt <= lost or damaged == data
    check(found, signal)
    if len(hurt) == 1:
        assert lost == hurt


def test_an_index_that_was_guessed_needs_all_tiles(alike: tuple[bytes, Signal]) -> None:
    """With one tile that does not decode, two others that had changed places passed for intact."""
    data, _ = alike
    parts = compact.sections_of(data)
    index = next(i for i, part in enumerate(parts) if part.type == b"TIDX")
    tiles = [i for i, part in enumerate(parts) if part.type == b"TILE"]
    parts[tiles[2]], parts[tiles[3]] = parts[tiles[3]], parts[tiles[2]]
    parts[tiles[0]] = container.Section(b"TILE", b"\x63" + parts[tiles[0]].content[1:])
    without = container.write(parts[:index] + parts[index + 1 :])
    with pytest.raises(inrcodec.FormatError, match="without its tile index"):
        damage.salvage(without)


def test_nothing_is_intact_if_it_cannot_be_told_what_is(alike: tuple[bytes, Signal]) -> None:
    parts = compact.sections_of(alike[0])
    tiles = [i for i, part in enumerate(parts) if part.type == b"TILE"]
    parts[tiles[2]], parts[tiles[3]] = parts[tiles[3]], parts[tiles[2]]
    found = damage.salvage(container.write(parts))
    assert not found.intact.any()
    assert "do not match their digest" in found.faults[0]


def test_a_newer_version_is_not_damage(file: tuple[bytes, Signal]) -> None:
    """Its sections were read as those of this version."""
    data = bytearray(file[0])
    data[len(container.MAGIC)] = container.VERSION + 1
    with pytest.raises(inrcodec.FormatError, match="a newer inrcodec may read it"):
        damage.salvage(bytes(data))


@pytest.mark.parametrize("broken", [100, 800])
def test_the_work_of_many_damaged_places_is_linear(broken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each damaged place had the rest of the file searched for every type: 5 s for 160 kB."""
    searched = 0

    class Counting(bytes):
        def find(self, *given: Any) -> int:
            nonlocal searched
            found = super().find(*given)
            searched += (found if found >= 0 else len(self)) - given[1]
            return found

    empty = container.write([container.Section(b"TILE", b"")])[container.FIRST : -container.END_SIZE]
    data = Counting(container.MAGIC + bytes([container.VERSION]) + (empty + b"?") * broken)
    assert len(container.scan(data, (b"HEAD", b"TILE", b"meta")).damaged) == broken
    assert searched <= 5 * len(data)


@pytest.fixture(scope="module")
def unlike() -> tuple[bytes, Signal]:
    """A sound of three tiles of different lengths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "tile_frames", lambda *_: 500)
        wave = (np.random.default_rng(0).integers(-100, 100, (1500, 1)) * np.repeat([1, 20, 200], 500)[:, None]).astype(np.int16)
        signal = Signal(wave, "audio", 16, 1000)
        data = codec.encode(signal, Options(profile="hybrid", effort=1))
    assert len({stop - start for start, stop in tiles_of(data)}) == 3
    return data, signal


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (0, 0, 1, 2), (0, 1, 2, 0), (0, 2, 1, 1)])
def test_tiles_of_different_lengths_may_be_anywhere(unlike: tuple[bytes, Signal], order: tuple[int, ...]) -> None:
    """One that was swapped or doubled lost them all."""
    data, signal = unlike
    tiles = tiles_of(data)
    moved = data[: tiles[0][0]] + b"".join(data[slice(*tiles[i])] for i in order) + data[tiles[-1][1] :]
    found = damage.salvage(moved)
    assert found.signal.equals(signal)
    assert not found.lost
    assert "match their digest" in found.report()[-1]
    hurt = bytearray(moved)
    hurt[tiles[0][0] + 20] ^= 1
    found = damage.salvage(bytes(hurt))
    check(found, signal)
    assert [lost.tile for lost in found.lost] == ([order[0]] if order.count(order[0]) == 1 else [])


def test_the_index_of_a_sound_is_guessed(unlike: tuple[bytes, Signal]) -> None:
    """Only halves of the sound were tried."""
    data, signal = unlike
    _, start, _ = next(span for span in spans(data) if span[0] == b"TIDX")
    found = damage.salvage(data[: start + 6] + bytes([data[start + 6] ^ 1]) + data[start + 7 :])
    assert found.signal.equals(signal)
    assert found.faults


def test_a_fault_in_metadata_does_not_hold_what_was_decompressed() -> None:
    """Whoever handles the fault may read the file again in another way, and would need that memory twice."""
    pair = varint(1) + b"k" + varint(1 << 22) + bytes(1 << 22)
    content = varint(2 * len(pair)) + compress(2 * pair, 1)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="there twice") as fault:
            read_metadata(content, Limits())
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()
    assert fault.value.args
