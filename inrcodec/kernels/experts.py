"""Experts: distributions of the next value, asked bit by bit.

An expert answers with the mass of its distribution below an edge. With the masses below the ends of what is still possible, that makes
the stretched probability ln(P(1)/P(0)) of the bit "the value is at the edge or above".
"""

from __future__ import annotations

from .compiling import shared
from .functions import LN2, log2

LIMIT = 12.0  # of a stretched probability
LOGISTIC_LIMIT = 9.0  # of one that comes from a single logistic
MIXTURE_FLOOR = 1e-7  # added to masses, so that none is 0
LOGISTIC_FLOOR = 1e-6


@shared
def odds(ones: float, zeros: float) -> float:
    """The stretched probability ln(ones/zeros) of two masses, within ±LIMIT."""
    return min(max(LN2 * log2(ones / zeros), -LIMIT), LIMIT)


@shared
def mixture_odds(below: float, at: float, above: float) -> float:
    """Stretched probability from a mixture's masses below the lower end, the edge and the upper end."""
    return odds(max(above - at, 0.0) + MIXTURE_FLOOR, max(at - below, 0.0) + MIXTURE_FLOOR)


@shared
def logistic_odds(below: float, at: float, above: float) -> float:
    """The same from one logistic's masses, within ±LOGISTIC_LIMIT. Pictures use it."""
    return min(max(odds(above - at + LOGISTIC_FLOOR, at - below + LOGISTIC_FLOOR), -LOGISTIC_LIMIT), LOGISTIC_LIMIT)


@shared
def logistic_odds_by_logs(below: float, at: float, above: float) -> float:
    """The same with two logarithms instead of a division, which rounds differently. Sound uses it."""
    y = LN2 * (log2(above - at + LOGISTIC_FLOOR) - log2(at - below + LOGISTIC_FLOOR))
    return min(max(y, -LOGISTIC_LIMIT), LOGISTIC_LIMIT)
