"""What the benchmarks share: test signals, timing, a description of the machine, and Markdown tables in bench/results."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_sample_image

import inrcodec
from inrcodec import Signal
from inrcodec.peers.timing import Result as Result
from inrcodec.peers.timing import timed as timed

RESULTS = Path(__file__).parent / "results"
STARTED = time.perf_counter()
Samples = npt.NDArray[Any]


def photo8(size: int) -> Samples:
    """(size, size, 3) uint8: a crop of scikit-learn's china.jpg, roofs and trees."""
    return np.ascontiguousarray(load_sample_image("china.jpg")[150 : 150 + size, 300 : 300 + size])


def photo16(size: int) -> Samples:
    """(size, size, 3) uint16: china.jpg in linear light, averaged so that all 16 bits vary.

    Each value is the mean of 4 × 4 pixels, of 2 × 2 if the picture is too small for that, else a blend of three pixels.
    """
    source = load_sample_image("china.jpg").astype(np.float64) / 255
    factor = 4 if 4 * size <= 400 else 2 if 2 * size <= 400 else 1
    top, left = (source.shape[0] - factor * size) // 2, (source.shape[1] - factor * size) // 2
    crop = source[top : top + factor * size, left : left + factor * size] ** 2.2
    if factor == 1:  # else only 256 different values would occur
        crop = 0.7 * crop + 0.2 * np.roll(crop, 1, 0) + 0.1 * np.roll(crop, 1, 1)
    linear = crop.reshape(size, factor, size, factor, 3).mean((1, 3))
    return np.asarray(np.rint(65535 * linear), np.uint16)


def smooth16(size: int) -> Samples:
    """(size, size) uint16: waves and a bump, without noise."""
    y, x = np.mgrid[0:size, 0:size] / size
    wave = 20000 * np.sin(3 * x + 2 * y * y) * np.cos(4 * y)
    bump = 9000 * np.exp(-((x - 0.5) ** 2 + (y - 0.3) ** 2) * 20)
    return np.asarray(np.rint(32767 + wave + bump), np.uint16)


def ours(signal: Signal, effort: int, threads: int) -> Result:
    """Encode and decode by inrcodec. Encoding is measured without verification, which would add the time of decoding."""
    data, encode = timed(lambda: inrcodec.encode(signal, effort=effort, threads=threads, verify=False))
    back, decode = timed(lambda: inrcodec.decode(data, threads=threads))
    if not back.equals(signal):
        raise SystemExit("it did not come back")
    return Result(len(data), encode, decode)


def tell(what: str) -> None:
    """Report progress on standard error."""
    print(what, file=sys.stderr, flush=True)


def machine() -> str:
    """The processor, the number of cores, and the GPU if there is one."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {os.cpu_count()} cores{gpu}"


def versions(*packages: str) -> str:
    """The versions of Python, inrcodec, torch, NumPy and other packages."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in ("inrcodec", "torch", "numpy", *packages))])


def table(heads: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; columns of numbers are aligned to the right."""
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(heads))]
    cells = [
        [f"{c:,}".replace(",", " ") if isinstance(c, int) else f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows
    ]
    lines = [heads, ["---:" if n else "---" for n in numeric], *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(argument: str) -> str:
    """An argument as a result shows it: of a folder of this machine, what comes from `data` on, or its name."""
    path = Path(argument)
    if not path.is_absolute():
        return argument
    return "/".join(path.parts[path.parts.index("data") :]) if "data" in path.parts else path.name


def save(name: str, title: str, parts: list[str], *packages: str, module: str = "") -> None:
    """Write and print bench/results/NAME.md: title, command, versions, machine, time, then the parts. module: if it is not bench.FILE."""
    command = " ".join(["python", "-m", module or f"bench.{Path(sys.argv[0]).stem}", *map(_shown, sys.argv[1:])])
    head = f"# {title}\n\n`{command}`\n\n{versions(*packages)}; {machine()}; {time.perf_counter() - STARTED:.0f} s in all\n"
    text = "\n".join([head, *(p + "\n" for p in parts)])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
