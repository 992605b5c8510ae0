"""Experts: from distributions of the next value to stretched probabilities of its bits.

Each bit of a value says whether the value is at an edge or above it, among the values that the earlier bits leave possible. With the
masses of an expert's distribution below the least such value, below the edge, and below the end, P(1) = (above − at) / (above − below),
and the stretched probability is ln(P(1) / P(0)).
"""

from __future__ import annotations

from .compiling import shared
from .functions import LN2, log2

LIMIT = 12.0  # of stretched probabilities
LOGISTIC_LIMIT = 9.0  # of stretched probabilities from a single logistic
MIXTURE_FLOOR = 1e-7  # added to masses of a mixture, so that none is 0
LOGISTIC_FLOOR = 1e-6  # added to masses of a logistic


@shared
def odds(ones: float, zeros: float) -> float:
    """The stretched probability ln(ones/zeros) of two masses, within ±LIMIT."""
    return min(max(LN2 * log2(ones / zeros), -LIMIT), LIMIT)


@shared
def mixture_odds(below: float, at: float, above: float) -> float:
    """The stretched probability from a mixture's masses below the lower end, the edge and the upper end. Within ±LIMIT."""
    return odds(max(above - at, 0.0) + MIXTURE_FLOOR, max(at - below, 0.0) + MIXTURE_FLOOR)


@shared
def logistic_odds(below: float, at: float, above: float) -> float:
    """The stretched probability from a logistic's masses below the lower end, the edge and the upper end. For pictures.

    It is within ±LOGISTIC_LIMIT.
    """
    return min(max(odds(above - at + LOGISTIC_FLOOR, at - below + LOGISTIC_FLOOR), -LOGISTIC_LIMIT), LOGISTIC_LIMIT)


@shared
def logistic_odds_by_logs(below: float, at: float, above: float) -> float:
    """As `logistic_odds`, but with two logarithms instead of a division, so it rounds differently. For sound."""
    y = LN2 * (log2(above - at + LOGISTIC_FLOOR) - log2(at - below + LOGISTIC_FLOOR))
    return min(max(y, -LOGISTIC_LIMIT), LOGISTIC_LIMIT)
