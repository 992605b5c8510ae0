"""Numbers and names as a reader sees them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from ..compare.result import ARRAYS, LATTICE, PLAIN, SOUND, UNSURE

THIN = "\u202f"  # narrow space at which no line breaks: between thousands, and before units
NAMES = {  # of a group: one, several
    LATTICE: ("picture with a hidden lattice", "pictures with a hidden lattice"),
    PLAIN: ("picture without a lattice", "pictures without a lattice"),
    UNSURE: ("picture of which the lattice is not known", "pictures of which the lattice is not known"),
    SOUND: ("sound", "sounds"),
    ARRAYS: ("array", "arrays"),
}
CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # of characters that nobody sees, or that turn a text round


def number(n: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{n:,}".replace(",", THIN).replace("-", "−")


def significant(x: float, digits: int = 3) -> str:
    """A number with so many significant digits, and thin spaces between thousands; never with an exponent."""
    if x == 0 or not math.isfinite(x):
        return "0" if x == 0 else "–"
    places = digits - 1 - math.floor(math.log10(abs(x)))
    places -= round(abs(x), places) >= 10 ** (digits - places)  # 9.996 is 10.0
    return f"{round(x, places):,.{min(max(places, 0), 12)}f}".replace(",", THIN).replace("-", "−")


def size(n: int) -> str:
    """Bytes with a unit."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if n >= 1000**power:
            return f"{significant(n / 1000**power)}{THIN}{unit}"
    return f"{number(n)}{THIN}{'byte' if n == 1 else 'bytes'}"


def percent(share: float) -> str:
    """A share in per cent with one decimal."""
    return f"{100 * share:.1f}{THIN}%".replace("-", "−")


def counted(n: int, group: str) -> str:
    """So many things of a group, in words."""
    return f"{number(n)} {NAMES[group][n != 1]}" if group in NAMES else f"{number(n)} of {group}"


def files(n: int) -> str:
    """So many files, in words."""
    return f"{number(n)} {'file' if n == 1 else 'files'}"


def date(iso: str) -> str:
    """A moment as ISO 8601 has it, to the minute and in UTC; another text as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment.tzinfo else iso


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence, with commas and an "and"."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def visible(text: str) -> str:
    r"""A text of whatever origin, with what nobody sees, and what turns its direction, as escapes: \n, \u202e. UTF-8 can hold it."""
    return "".join(_escaped(c) if unicodedata.category(c) in CATEGORIES else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    known = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
    return known.get(character, f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
