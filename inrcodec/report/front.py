"""Which codecs are on the Pareto front: no other is both smaller and faster."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Numbers of the points that no other point dominates, by their first coordinate, then by their second.

    points: two costs each. One point dominates another if it is greater in neither cost and less in at least one; equal points are
    both on the front or both not.
    """
    found: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i], i)):
        if not found or points[i][1] < points[found[-1]][1] or points[i] == points[found[-1]]:
            found.append(i)
    return found
