"""What several tests share."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from inrcodec import files
from inrcodec.signal import Signal


def through(path: Path, data: bytes) -> Signal:
    """Read, write and compare the bytes and the signal of a second reading."""
    path.write_bytes(data)
    signal = files.read(path)
    path.unlink()
    files.write(path, signal)
    assert path.read_bytes() == data
    assert files.read(path).equals(signal)
    return signal


def loaded(path: Path) -> ModuleType:
    """The module in a file that is in no package, under the name of the file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look for their module there
    spec.loader.exec_module(module)
    return module
