"""What small tiles and previews cost, and how fast they are: `python -m bench.parts FILE…`, of pictures.

Tiles: bytes more than with the default tiles, and the time of a region of 256 × 256 pixels beside that of the whole. Previews: their bytes
and their PSNR beside the exact means of blocks of 8 × 8, the time of both, and what the exact means would take as a file of their own.
Each time is the least of three.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import inrcodec
from inrcodec import Signal, files, preview

from .common import save, table, tell

TILES = (512, 256)
REGION = 256
TIMES = 3


def least(call: Callable[[], Any]) -> float:
    """The least seconds of a few calls."""
    found = math.inf
    for _ in range(TIMES):
        start = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - start)
    return found


def tiles(signal: Signal, plain: bytes, name: str) -> list[list[Any]]:
    """A row for each size of tiles. plain: the file with the default tiles."""
    rows = []
    height, width = signal.samples.shape[:2]
    region = (0, 0, min(REGION, width), min(REGION, height))
    for tile in (0, *TILES):
        data = inrcodec.encode(signal, tile=tile, verify=False) if tile else plain
        whole, part = least(partial(inrcodec.decode, data)), least(partial(inrcodec.decode, data, region=region))
        more = f"{100 * (len(data) / len(plain) - 1):+.2f} %" if tile else ""
        rows.append([name if not tile else "", str(tile or "default"), inrcodec.info(data)["tiles"]["count"], len(data), more, whole, part])
    return rows


def previews(signal: Signal, plain: bytes, name: str) -> list[Any]:
    """A row. plain: the file without a preview."""
    data = inrcodec.encode(signal, preview=True, verify=False)
    exact = inrcodec.thumbnail(data, exact=True)
    alone = len(inrcodec.encode(exact, verify=False))
    size = inrcodec.info(data)["bytes"].get("preview", 0)
    shown = inrcodec.thumbnail(data) if size else exact
    error = np.mean((shown.samples - exact.samples.astype(float)) ** 2)
    psnr = 10 * math.log10((2**exact.bit_depth - 1) ** 2 / error) if error else math.inf
    share, own = f"{100 * size / len(data):.2f} %", f"{100 * alone / len(plain):.2f} %"
    fast = 1000 * least(lambda: inrcodec.thumbnail(data)) if size else math.nan
    return [name, len(plain), size, share, psnr, fast, least(lambda: inrcodec.thumbnail(data, exact=True)), alone, own]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    of_tiles, of_previews = list[list[Any]](), list[list[Any]]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in parser.parse_args().files:
            tell(path.name)
            signal = files.read(path)
            plain = inrcodec.encode(signal, verify=False)
            name = f"{path.parent.name}/{path.stem}"
            of_tiles += tiles(signal, plain, name)
            of_previews.append(previews(signal, plain, name))
    heads = ["picture", "tile", "tiles", "bytes", "more", "decode, s", f"region of {REGION} × {REGION}, s"]
    shown = [
        "picture",
        "bytes without",
        "preview",
        "of the file",
        "PSNR, dB",
        "taken, ms",
        "exact means, s",
        "exact means as a file",
        "of the file",
    ]
    parts = [
        "Default effort, all threads.",
        "## Tiles\n\n" + table(heads, of_tiles),
        f"## Previews\n\nAn eighth of the size; the encoder writes none of less than {preview.LEAST_PSNR:g} dB.\n\n"
        + table(shown, of_previews),
    ]
    save("parts", "Tiles, regions and previews", parts, "numba", "pillow")


if __name__ == "__main__":
    main()
