"""What the tests of file formats share."""

from pathlib import Path

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
