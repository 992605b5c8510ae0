"""Sections, damage, and readers of the future."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec import container
from inrcodec.container import Reader, Section, varint, zigzag
from inrcodec.errors import FormatError

SECTIONS = [Section(b"HEAD", b"abc"), Section(b"note", b""), Section(b"TILE", bytes(300))]


@given(st.integers(0, 2**63 - 1), st.integers(-(2**64), 2**64))
def test_numbers_round_trip(n: int, m: int) -> None:
    r = Reader(varint(n) + varint(zigzag(m)), "a test")
    assert r.varint() == n
    assert r.signed() == m
    r.end()


def test_sections_round_trip() -> None:
    data = container.write(SECTIONS)
    assert container.read(data) == SECTIONS
    assert len(data) == 10 + sum(s.size for s in SECTIONS) + 9
    assert [s.required for s in SECTIONS] == [True, False, True]


def test_every_truncation_is_noticed() -> None:
    data = container.write(SECTIONS)
    for n in range(len(data)):
        with pytest.raises(FormatError):
            container.read(data[:n])


def test_every_flipped_bit_is_noticed() -> None:
    data = container.write(SECTIONS)
    for i in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[i] ^= 1 << bit
            with pytest.raises(FormatError):
                container.read(bytes(damaged))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a .linr file"),
        (container.write(SECTIONS).replace(b"\r\n", b"\n"), "text mode"),
        (container.write(SECTIONS) + b"x", "1 bytes too many"),
        (container.MAGIC + b"\x09", "version 9"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        container.read(data)


def test_numbers_out_of_range() -> None:
    with pytest.raises(FormatError, match="out of range"):
        Reader(varint(11), "a test").varint(10)
    with pytest.raises(FormatError, match="too long"):
        Reader(b"\xff" * 11, "a test").varint()
