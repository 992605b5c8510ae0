"""Small pictures compared with PNG, WebP and JPEG XL: the kinds of files of PNG's test suite, and icons of 16 to 64 pixels.

    python -m bench.tiny [FOLDER] [--effort 4] [--list]

All pictures are drawn by code. FOLDER: pictures of which icons are cut, beside these. PNG is the smallest of all that `png` tries, WebP is
lossless with method 6, JPEG XL lossless with effort 10. WebP has no place for more than 8 bits; sums have it only where it codes all files.
"""

from __future__ import annotations

import argparse
import io
import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

import inrcodec
from inrcodec import Signal, files

from .common import photo8, save, table, tell

Samples = npt.NDArray[Any]
SEED = 20250101
SIDES = (16, 24, 32, 48, 64)
WINDOWS = (8, 15)  # log2 of Deflate's window
FACES = 3  # of each kind of icon and side


# --- pictures like those of PNG's test suite ----------------------------------------------------------------------


def ramps(depth: int, channels: int, slopes: tuple[tuple[int, int], ...]) -> Samples:
    """(32, 32[, channels]): a linear gradient per channel over the full range of the depth, each with its slope down and across."""
    y, x = np.mgrid[:32, :32]
    planes = []
    for down, across in slopes[:channels]:
        place = down * y + across * x
        span = max(1, int(place.max()))
        planes.append(place * ((1 << depth) - 1) // span)
    dtype: Any = bool if depth == 1 else np.uint8 if depth <= 8 else np.uint16
    whole = np.stack(planes, 2).astype(dtype)
    return whole[:, :, 0] if channels == 1 else whole


def bars(depth: int) -> Samples:
    """(32, 32): blocks of 4 × 4 pixels in all greys of the depth, in order."""
    y, x = np.mgrid[:32, :32] // 4
    value = (8 * y + x) % (1 << depth)
    return np.asarray(value, bool if depth == 1 else np.uint8)


def triangles() -> Samples:
    """(32, 32) bool: a grid of triangles."""
    y, x = np.mgrid[:32, :32] % 16
    return np.asarray(x + y < 16)


def rainbow(side: int, phase: float) -> Samples:
    """(side, side, 3) uint8: bands of all hues, darker towards the edges."""
    y, x = np.mgrid[:side, :side] / side
    hue = np.stack([np.cos(2 * np.pi * (x + y / 2 + phase + i / 3)) for i in range(3)], 2)
    light = np.sin(np.pi * y)[:, :, None]
    return np.asarray(np.rint(127.5 * (1 + hue) * light), np.uint8)


def alpha_of(kind: str, depth: int) -> Samples:
    """(32, 32): opacity, a gradient down or a disc."""
    y, x = np.mgrid[:32, :32]
    top = (1 << depth) - 1
    plane = y * top // 31 if kind == "down" else np.where((x - 15.5) ** 2 + (y - 15.5) ** 2 < 180, top, 0)
    return plane.astype(np.uint8 if depth == 8 else np.uint16)


def squares(side: int, colours: int, g: np.random.Generator) -> Samples:
    """(side, side, 3) uint8: concentric frames and a letter, of so many colours, as a palette has them."""
    colour = g.integers(0, 256, (colours, 3))
    y, x = np.mgrid[:side, :side]
    number = np.minimum(np.minimum(x, y), side - 1 - np.maximum(x, y)) % colours
    letter = np.array(written("S", side, side))[:, :, 3] > 127
    number[letter] = (number[letter] + 1) % colours
    return np.asarray(colour[number], np.uint8)


def textured(colours: int, g: np.random.Generator) -> Samples:
    """(32, 32, 3) uint8: a photograph, shrunk and brought to a palette."""
    picture = Image.fromarray(photo8(256)).resize((32, 32), Image.Resampling.LANCZOS)
    return np.asarray(picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


def keyed(samples: Samples, depth: int) -> Samples:
    """With alpha: 0 where a pixel is that of the first place, as a tRNS chunk says of one colour."""
    pixels = samples.reshape(*samples.shape[:2], -1)
    seen = (pixels != pixels[0, 0]).any(axis=2, keepdims=True)
    return np.concatenate([pixels, (seen * ((1 << depth) - 1)).astype(pixels.dtype)], axis=2)


def suite(g: np.random.Generator) -> Iterator[tuple[str, Signal]]:
    """Pictures of all colour types and depths, as PNG's reader gives them."""
    diagonal = ((1, 1), (1, 0), (0, 1), (1, -1))
    for depth in (1, 2, 4):
        yield f"grey {depth} bars", Signal(bars(depth), "image", depth)
        yield f"grey {depth} ramp", Signal(ramps(depth, 1, diagonal), "image", depth)
    yield "grey 1 triangles", Signal(triangles(), "image", 1)
    for depth in (8, 16):
        for name, slopes in (("ramp", diagonal), ("across", ((0, 1), (1, 0), (1, 1))), ("steep", ((3, 1), (1, 3), (2, 5)))):
            yield f"grey {depth} {name}", Signal(ramps(depth, 1, slopes), "image", depth)
            yield f"RGB {depth} {name}", Signal(ramps(depth, 3, slopes), "image", depth)
        for kind in ("down", "disc"):
            alpha = alpha_of(kind, depth)[:, :, None]
            grey, coloured = ramps(depth, 1, diagonal)[:, :, None], ramps(depth, 3, diagonal[1:])
            yield f"grey+alpha {depth} {kind}", Signal(np.concatenate([grey, alpha], 2), "image", depth)
            yield f"RGBA {depth} {kind}", Signal(np.concatenate([coloured, alpha], 2), "image", depth)
    yield "RGB 8 rainbow", Signal(rainbow(32, 0.0), "image", 8)
    yield "RGB 8 rainbow, another", Signal(rainbow(32, 0.4), "image", 8)
    for colours in (2, 4, 16):
        yield f"palette of {colours}", Signal(squares(32, colours, g), "image", 8)
    yield "palette of 256", Signal(textured(256, g), "image", 8)
    yield "palette of 64", Signal(textured(64, g), "image", 8)
    yield "palette of 16, tRNS", Signal(keyed(squares(32, 16, g), 8), "image", 8)
    yield "RGB 8, tRNS", Signal(keyed(np.where(alpha_of("disc", 8)[:, :, None] > 0, rainbow(32, 0.2), 255), 8), "image", 8)
    yield "grey 16, tRNS", Signal(keyed(np.where(alpha_of("disc", 16) > 0, ramps(16, 1, diagonal), 0), 16), "image", 16)
    for side in (1, 2, 3, 5, 8, 9, 33, 40):
        yield f"side {side}", Signal(squares(side, min(7, side * side), g), "image", 8)
    yield "one colour", Signal(np.full((32, 32, 3), (30, 144, 255), np.uint8), "image", 8)
    yield "grey photograph", Signal(np.asarray(Image.fromarray(photo8(256)).convert("L").resize((32, 32))), "image", 8)
    yield "photograph", Signal(np.asarray(Image.fromarray(photo8(256)).resize((32, 32))), "image", 8)


# --- icons --------------------------------------------------------------------------------------------------------

OVER = 8  # icons are drawn this many times larger, then shrunk


def canvas(side: int) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """An empty picture to draw on, and its side."""
    big = Image.new("RGBA", (OVER * side, OVER * side), (0, 0, 0, 0))
    return big, ImageDraw.Draw(big), OVER * side


def shrunk(big: Image.Image, side: int) -> Samples:
    """(side, side, 4) uint8: with smooth edges; transparent pixels are black."""
    return np.asarray(big.resize((side, side), Image.Resampling.BOX)).copy()


def hue(g: np.random.Generator) -> tuple[int, ...]:
    """A colour of an icon, opaque."""
    return (*(int(v) for v in g.choice([0, 34, 51, 85, 102, 136, 153, 187, 204, 238, 255], 3)), 255)


def written(letter: str, side: int, size: int, colour: tuple[int, ...] = (0, 0, 0, 255)) -> Image.Image:
    """A letter, in the middle of a transparent square."""
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    font = ImageFont.load_default(max(4, size))
    ImageDraw.Draw(picture).text((side / 2, side / 2), letter, fill=colour, font=font, anchor="mm")
    return picture


def flat(side: int, g: np.random.Generator) -> Samples:
    """A few shapes of one colour each, with smooth edges."""
    big, draw, n = canvas(side)
    for _ in range(int(g.integers(2, 5))):
        x, y = (float(v) for v in g.uniform(0.05, 0.5, 2) * n)
        w, h = (float(v) for v in g.uniform(0.25, 0.45, 2) * n)
        kind = int(g.integers(3))
        if kind == 0:
            draw.ellipse((x, y, x + w, y + w), fill=hue(g))
        elif kind == 1:
            draw.rounded_rectangle((x, y, x + w, y + h), n / 12, fill=hue(g))
        else:
            draw.polygon([(x, y + h), (x + w / 2, y), (x + w, y + h)], fill=hue(g))
    return shrunk(big, side)


def button(side: int, g: np.random.Generator) -> Samples:
    """A rounded button with a gradient, a rim and a letter."""
    big, draw, n = canvas(side)
    colour = np.array(hue(g)[:3])
    for y in range(n):
        draw.line((0, y, n, y), fill=(*(int(v) for v in colour * (1 - 0.5 * y / n)), 255))
    mask = Image.new("L", big.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((n / 16, n / 16, n * 15 / 16, n * 15 / 16), n / 5, fill=255)
    big.putalpha(mask)
    draw.rounded_rectangle((n / 16, n / 16, n * 15 / 16, n * 15 / 16), n / 5, outline=(40, 40, 40, 255), width=OVER)
    big.alpha_composite(written(str(g.choice(list("AERkg5?"))), n, n // 2, (255, 255, 255, 255)))
    return shrunk(big, side)


def symbol(side: int, g: np.random.Generator) -> Samples:
    """A letter of one colour on nothing, as icon fonts are drawn."""
    return shrunk(written(str(g.choice(list("BQ&@#Wx%"))), OVER * side, OVER * side * 3 // 4, hue(g)), side)


def sprite(side: int, g: np.random.Generator) -> Samples:
    """Pixel art: a figure that is its own mirror image, of a few colours, on nothing."""
    cells = side if side <= 24 else side // 2
    noise = g.random((cells, cells // 2 + cells % 2))
    y, x = np.mgrid[:cells, : noise.shape[1]] / cells
    inside = (y - 0.5) ** 2 + (x - 0.5) ** 2 < 0.16 + 0.12 * (noise - 0.5)
    colours = np.array([hue(g) for _ in range(4)])
    number = np.where(noise > 0.92, 3, (3 * y + g.random()).astype(int) % 3)
    half = np.where(inside[:, :, None], colours[number], 0)
    edge = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1))
    half[edge] = (0, 0, 0, 255)
    whole = np.concatenate([half, half[:, : cells // 2][:, ::-1]], 1).astype(np.uint8)
    factor = side // cells
    return np.ascontiguousarray(whole.repeat(factor, 0).repeat(factor, 1))


def thumbnail(side: int, g: np.random.Generator) -> Samples:
    """A part of a photograph, shrunk, without alpha."""
    size = min(int(g.integers(2, 5)) * side, 200)
    source = Image.fromarray(photo8(256))
    left, top = (int(v) for v in g.integers(0, 256 - size, 2))
    part = source.crop((left, top, left + size, top + size))
    return np.asarray(part.resize((side, side), Image.Resampling.LANCZOS))


def shaded(side: int, g: np.random.Generator) -> Samples:
    """A glossy ball with a shadow: smooth colours and a smooth alpha."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    radius = np.hypot(x, y)
    light = np.clip(1 - np.hypot(x + 0.15, y + 0.15) * 1.6, 0, 1)[:, :, None]
    colour = np.array(hue(g)[:3]) * light + 255 * light**6
    ball = np.clip((0.4 - radius) * side, 0, 1)
    shadow = np.clip(0.5 - np.hypot(x, y - 0.08), 0, 0.5) * (1 - ball)
    alpha = ball + shadow
    whole = np.concatenate([np.where(ball[:, :, None] > 0, colour, 0), 255 * alpha[:, :, None]], 2)
    return np.asarray(np.rint(np.clip(whole, 0, 255)), np.uint8)


ICONS: tuple[Callable[[int, np.random.Generator], Samples], ...] = (flat, button, symbol, sprite, shaded, thumbnail)


def icons(side: int, g: np.random.Generator) -> Iterator[tuple[str, Signal]]:
    """Icons of a side, of each kind FACES."""
    for draw, face in itertools.product(ICONS, range(FACES)):
        yield f"{draw.__name__} {face}", Signal(np.ascontiguousarray(draw(side, g)), "image", 8)


def cut(folder: Path, side: int, g: np.random.Generator) -> Iterator[tuple[str, Signal]]:
    """Parts of the pictures of a folder, four of each."""
    for path in sorted(folder.iterdir()):
        samples = files.read(path).samples
        for i in range(4):
            top, left = (int(g.integers(0, max(1, n - side))) for n in samples.shape[:2])
            yield f"{path.name} {i}", Signal(np.ascontiguousarray(samples[top : top + side, left : left + side]), "image")


# --- the other formats --------------------------------------------------------------------------------------------


def filtered(rows: npt.NDArray[np.uint8], step: int) -> list[bytes]:
    """Rows by each of PNG's five filters, and by the one with the least sum of magnitudes per row. rows: (height, bytes); step: a pixel."""
    before = np.zeros_like(rows)
    before[:, step:] = rows[:, : max(0, rows.shape[1] - step)]
    above, corner = (np.concatenate([np.zeros_like(r[:1]), r[:-1]]) for r in (rows, before))
    a, b, c = (v.astype(int) for v in (before, above, corner))
    near = np.abs(np.stack([b - c, a - c, a + b - 2 * c]))
    paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), a, np.where(near[1] <= near[2], b, c))
    found = np.stack([np.asarray(rows - p.astype(np.uint8)) for p in (np.zeros_like(a), a, b, (a + b) // 2, paeth)])
    heads = np.broadcast_to(np.arange(5, dtype=np.uint8)[:, None, None], (*found.shape[:2], 1))
    whole = np.concatenate([heads, found], 2)
    least = np.abs(found.view(np.int8).astype(int)).sum(2).argmin(0)
    return [*(w.tobytes() for w in whole), whole[least, np.arange(len(rows))].tobytes()]


def deflated(rows: npt.NDArray[np.uint8], step: int) -> int:
    """Bytes of the smallest zlib stream of these rows."""
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED)
    sizes = []
    for raw, strategy, window in itertools.product(filtered(rows, step), strategies, WINDOWS):
        z = zlib.compressobj(9, zlib.DEFLATED, window, 9, strategy)
        sizes.append(len(z.compress(raw)) + len(z.flush()))
    return min(sizes)


def rows_of(samples: Samples, depth: int) -> npt.NDArray[np.uint8]:
    """(height, bytes): the rows of a PNG. samples: (height, width, channels)."""
    if depth == 16:
        return np.ascontiguousarray(samples.astype(">u2")).view(np.uint8).reshape(len(samples), -1)
    if depth == 8:
        return np.ascontiguousarray(samples, np.uint8).reshape(len(samples), -1)
    bits = np.unpackbits(samples.astype(np.uint8).reshape(len(samples), -1, 1), axis=2)[:, :, 8 - depth :]
    return np.packbits(bits.reshape(len(samples), -1), axis=1)


def png(signal: Signal) -> int:
    """Bytes of the smallest PNG: as it is, or with a palette, by all filters and all strategies of zlib."""
    samples = signal.samples.reshape(*signal.samples.shape[:2], -1)
    channels, depth = samples.shape[2], signal.bit_depth
    around = 8 + 25 + 12 + 12
    sizes = [around + deflated(rows_of(samples, depth), max(1, channels * depth // 8))]
    colours, numbers = np.unique(samples.reshape(-1, channels), axis=0, return_inverse=True)
    if depth == 8 and len(colours) <= 256:
        if channels in (2, 4):
            order = np.argsort(colours[:, -1], kind="stable")
            numbers, colours = np.argsort(order)[numbers], colours[order]
        clear = int((colours[:, -1] < 255).sum()) if channels in (2, 4) else 0
        own = next(d for d in (1, 2, 4, 8) if len(colours) <= 1 << d)
        rows = rows_of(numbers.reshape(*samples.shape[:2], 1), own)
        sizes.append(around + 12 + 3 * len(colours) + (12 + clear) * (clear > 0) + deflated(rows, 1))
    if depth == 8:
        out = io.BytesIO()
        Image.fromarray(np.squeeze(signal.samples) if channels == 1 else signal.samples).save(out, "PNG", optimize=True)
        sizes.append(len(out.getvalue()))
    return min(sizes)


def webp(signal: Signal) -> int | None:
    """Bytes of lossless WebP of 8-bit RGB or RGBA, exact also where it is transparent. None if the picture has more bits."""
    samples, depth = signal.samples.reshape(*signal.samples.shape[:2], -1), signal.bit_depth
    if depth > 8:
        return None
    eight = (samples.astype(np.uint16) * (255 // ((1 << depth) - 1))).astype(np.uint8)
    channels = eight.shape[2]
    colours = eight if channels >= 3 else np.concatenate([eight[:, :, :1]] * 3 + [eight[:, :, 1:]] * (channels == 2), 2)
    out = io.BytesIO()
    Image.fromarray(colours).save(out, "WEBP", lossless=True, quality=100, method=6, exact=True)
    if not np.array_equal(np.asarray(Image.open(io.BytesIO(out.getvalue())).convert("RGBA" if channels in (2, 4) else "RGB")), colours):
        raise SystemExit("WebP did not give the picture back")
    return len(out.getvalue())


def jpegxl(signal: Signal) -> int:
    """Bytes of lossless JPEG XL, effort 10."""
    samples = signal.samples.astype(np.uint8) if signal.samples.dtype == bool else signal.samples
    data = imagecodecs.jpegxl_encode(samples, lossless=True, effort=10, bitspersample=signal.bit_depth, numthreads=1)
    return len(data)


def group(pictures: list[tuple[str, Signal]], effort: int, rows: list[list[Any]]) -> list[Any]:
    """The cells of a group: sums of PNG, WebP, JPEG XL, of the smallest of each file, ours, ours by the smallest sum, and files larger."""
    found = []
    for name, signal in pictures:
        data = inrcodec.encode(signal, effort=effort, threads=1)
        sizes = (png(signal), webp(signal), jpegxl(signal), len(data))
        rows.append([name, *("" if n is None else n for n in sizes), sizes[3] - min(n for n in sizes[:3] if n is not None)])
        found.append(sizes)
        tell(str(rows[-1]))
    sums = ["" if any(n is None for n in column) else sum(column) for column in zip(*found, strict=True)]
    best = [min(n for n in sizes[:3] if n is not None) for sizes in found]
    larger = sum(sizes[3] > least for sizes, least in zip(found, best, strict=True))
    ratio = sums[3] / min(n for n in sums[:3] if n != "")  # type: ignore[operator]
    return [len(found), *sums[:3], sum(best), sums[3], f"{ratio:.3f}", f"{sums[3] / sum(best):.3f}", larger]  # type: ignore[operator]


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--effort", type=int, default=inrcodec.Options.effort)
    parser.add_argument("--list", action="store_true", help="write a row for each file too")
    given = parser.parse_args()
    whole = list(suite(np.random.default_rng(SEED)))
    groups = {
        "test suite, to 8 bits": [(name, signal) for name, signal in whole if signal.bit_depth <= 8],
        "test suite, 16 bits": [(name, signal) for name, signal in whole if signal.bit_depth > 8],
    }
    for side in SIDES:
        groups[f"icons of {side} pixels"] = list(icons(side, np.random.default_rng((SEED, side))))
        if given.folder:
            groups[f"cut, {side} pixels"] = list(cut(given.folder, side, np.random.default_rng((SEED, side))))
    single: list[list[Any]] = []
    cells = []
    for name, pictures in groups.items():
        cells.append([name, *group(pictures, given.effort, single)])
    heads = [
        "pictures",
        "files",
        "PNG",
        "WebP",
        "JPEG XL",
        "smallest of each file",
        "ours",
        "ours / smallest sum",
        "ours / smallest of each",
    ]
    parts = [table([*heads, "files larger than the smallest"], cells)]
    if given.list:
        parts.append(table(["file", "PNG", "WebP", "JPEG XL", "ours", "ours − smallest"], single))
    save("tiny", "Small pictures beside PNG, WebP and JPEG XL", parts, "imagecodecs", "pillow", "numba")


if __name__ == "__main__":
    main()
