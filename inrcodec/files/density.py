"""Pixel density: the `density` key ↔ the numbers of the formats."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

PER_METRE = {"m": Fraction(1), "cm": Fraction(100), "in": Fraction(10000, 254)}


def ratio(field: str) -> tuple[int, int]:
    """Numerator and denominator of a field; a fraction is not reduced, so that it is written back as it was read.

    Raises:
        ValueError: the field is not a number.
    """
    top, slash, bottom = field.partition("/")
    return (int(top), int(bottom)) if slash else Fraction(top).as_integer_ratio()


def parse(metadata: Mapping[str, bytes]) -> tuple[str, str, str] | None:
    """The fields X, Y and UNIT of the key `density`: pixels per UNIT; None if there is none that is valid.

    A valid one has two positive numbers, and `m` (metre), `cm`, `in` (inch) or `-` (only the ratio counts) as its unit.
    """
    try:
        x, y, unit = metadata["density"].decode("ascii").split()
        positive = all(p > 0 and q > 0 for p, q in (ratio(x), ratio(y)))
    except (KeyError, ValueError, ZeroDivisionError):
        return None
    return (x, y, unit) if positive and (unit in PER_METRE or unit == "-") else None


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
