"""A photograph for the demo."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_sample_image


def photograph() -> npt.NDArray[np.uint8]:
    """One of scikit-learn's sample photographs, (427, 640, 3) uint8, RGB."""
    return np.ascontiguousarray(load_sample_image("china.jpg"), np.uint8)
