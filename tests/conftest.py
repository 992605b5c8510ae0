"""Hypothesis without deadlines, since the first example may compile kernels; torch's threads; Ctrl-C; what many tests ask for."""

import os
import signal
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from tests.browser import browser as browser

if "PYTEST_XDIST_WORKER" in os.environ:  # the cores have a worker each; threads of torch that wait for each other's cores take minutes
    os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("inrcodec", deadline=None)
settings.load_profile("inrcodec")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell starts programs in the background so, and they hand it on
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small PNG file of colours, with a density."""
    rng = np.random.default_rng(0)
    path = tmp_path / "photo.png"
    Image.fromarray(np.cumsum(rng.integers(-2, 3, (20, 24, 3)), axis=1).astype(np.uint8)).save(path, dpi=(300, 300))
    return path


@pytest.fixture(scope="module")
def linr() -> ModuleType:
    """The standalone decoder, loaded anew for each file of tests: others load it too."""
    from tests.support import loaded  # not sooner: it imports the package

    return loaded(Path(__file__).parent.parent / "formats" / "standalone" / "linr.py")
