"""The study of networks from priors."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bench.implicit.priors import jpeg, rows_of


def test_rows() -> None:
    meta = [name for name, _ in rows_of("meta", 600)]
    assert meta[:2] == ["basic, uniform 8, 600 steps", "basic, uniform 8, 60 steps"]
    assert len(set(meta)) == len(meta)
    assert all(name.startswith("modulations") for name, _ in rows_of("modulations", 600))


def test_jpeg_is_the_largest_that_is_no_larger() -> None:
    y, x = np.mgrid[:64, :64]
    samples = np.stack([x * 3, y * 3, (x + y) * 2], -1).astype(np.uint8)
    sizes = []
    for quality in range(1, 60):
        out = io.BytesIO()
        Image.fromarray(samples).save(out, "JPEG", quality=quality, optimize=True)
        sizes.append(len(out.getvalue()))
    size, found = jpeg(samples, sizes[30])
    assert size <= sizes[30]
    assert 10 < found < 60
    assert jpeg(samples, 10)[0] == sizes[0]  # the smallest, if all are larger
