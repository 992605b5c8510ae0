"""Pixel density: the `density` key ↔ the numbers of the formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

PER_METRE = {"m": Fraction(1), "cm": Fraction(100), "in": Fraction(10000, 254)}
# a decimal or a fraction of so few digits that arithmetic on it takes no time: an exponent could stand for a billion of them
_NUMBER = r"([0-9]{1,20}(?:[./][0-9]{1,20})?)"
_FIELDS = re.compile(rf"\s*{_NUMBER}\s+{_NUMBER}\s+(m|cm|in|-)\s*".encode())


def ratio(field: str) -> tuple[int, int]:
    """Numerator and denominator of a field that `parse` gives; a fraction is not reduced, so that it is written back as it was read."""
    top, slash, bottom = field.partition("/")
    return (int(top), int(bottom)) if slash else Fraction(top).as_integer_ratio()


def parse(metadata: Mapping[str, bytes]) -> tuple[str, str, str] | None:
    """The fields X, Y and UNIT of the key `density`: pixels per UNIT; None if there is none that is valid.

    A valid one has two positive numbers, decimals or fractions of at most 20 digits before and after the sign in them, and `m` (metre),
    `cm`, `in` (inch) or `-` (only the ratio counts) as its unit.
    """
    found = _FIELDS.fullmatch(metadata.get("density", b""))
    if found is None:
        return None
    x, y, unit = (field.decode() for field in found.groups())
    return (x, y, unit) if all(p > 0 and q > 0 for p, q in (ratio(x), ratio(y))) else None


def whole(metadata: Mapping[str, bytes], limit: int) -> tuple[int, int, bool] | None:
    """The density as whole numbers from 1 to `limit`, rounded; None if there is none that is valid and within them.

    Returns:
        X, Y, and whether they are pixels per metre; if not, only their ratio counts.
    """
    fields = parse(metadata)
    if fields is None:
        return None
    unit = fields[2]
    x, y = (round(Fraction(*ratio(f)) * PER_METRE.get(unit, 1)) for f in fields[:2])
    return (x, y, unit != "-") if 1 <= x <= limit and 1 <= y <= limit else None
