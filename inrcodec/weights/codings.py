"""Names and numbers of the weight codings. How the encoder finds the integers of each is in `inrcodec.fit.codings`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightCoding:
    """One weight coding.

    Attributes:
        name: its name in options.
        number: its number in files; never reused.
        words: what a weight is, for `--help`.
        sparse: whether matrices are written as sparse codes over the seeded dictionary (`weights.sinr`) instead of as integers.
    """

    name: str
    number: int
    words: str
    sparse: bool = False


CODINGS = (
    WeightCoding("uniform", 0, "n bits"),
    WeightCoding("lsq", 1, "n bits, learned step"),
    WeightCoding("ternary", 2, "−1, 0, 1"),
    WeightCoding("sinr", 3, "sparse over a seeded dictionary", sparse=True),
)
NAMES = tuple(coding.name for coding in CODINGS)


def named(name: str) -> WeightCoding:
    """The coding of this name. Raises ValueError if there is none."""
    for coding in CODINGS:
        if coding.name == name:
            return coding
    raise ValueError(f"there is no weight coding {name!r}; there are {', '.join(NAMES)}")


def numbered(number: int) -> WeightCoding | None:
    """The coding with this number, which a file names; None if there is none."""
    return next((coding for coding in CODINGS if coding.number == number), None)
