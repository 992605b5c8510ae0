"""The pictures of a folder that the studies fit networks to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inrcodec import files

from ..common import Samples


def reduced(path: Path, factor: int) -> Samples:
    """A picture's colours, (height, width, 3) uint8, each pixel the mean of factor × factor."""
    whole = files.read(path).samples.astype(np.float64)
    height, width = (n // factor for n in whole.shape[:2])
    means = whole[: height * factor, : width * factor].reshape(height, factor, width, factor, -1).mean((1, 3))
    return np.asarray(np.rint(means[:, :, :3]), np.uint8)


def folder(data: Path | None, count: int, factor: int) -> Iterator[tuple[str, Samples]]:
    """(name of the file, samples) of `count` pictures spread over a folder, reduced by `factor`."""
    paths = sorted(data.glob("*.png")) if data else []
    for i in range(min(count, len(paths))):
        path = paths[len(paths) * (2 * i + 1) // (2 * min(count, len(paths)))]
        yield path.stem, reduced(path, factor)


def titled(name: str, samples: Samples) -> str:
    """What a picture is called in a table."""
    return f"{name}, {samples.shape[1]} × {samples.shape[0]}"
