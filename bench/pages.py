"""Pages of mixed content, made by code: text and shapes around photographs, as in posters, documents and screenshots.

    python -m bench.pages DATA FOLDER

DATA has the folders photos/ and cid/. Photographs are taken that the priors were not trained on. The pages are the same for every run
with the same versions of Pillow and FreeType.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "the", "of", "light", "a", "stone", "river", "and", "morning", "paper", "in", "window", "letters", "grey", "between",
    "leaves", "measure", "every", "colour", "edge", "small", "far", "north", "house", "wind", "signal", "plane", "number", "sum",
    "from", "field", "glass", "road", "under", "slow", "bright", "copper", "table", "silent", "harbour", "engine", "winter", "row",
]  # fmt: skip
SIZE = 900, 1200  # of a page: width, height
Painter = Callable[[Image.Image, ImageDraw.ImageDraw, list[Image.Image], Random], None]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that no font of the machine is needed."""
    return ImageFont.load_default(size)


def paragraph(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], size: int, random: Random, fill: tuple[int, int, int]) -> None:
    """Fill a box, left, top, right, bottom, with words."""
    left, top, right, bottom = box
    face, x, y = font(size), float(left), float(top)
    while y + size <= bottom:
        word = random.choice(WORDS) + " "
        width = draw.textlength(word, face)
        if x + width > right:
            x, y = float(left), y + 1.4 * size
            continue
        draw.text((x, y), word, fill, face)
        x += width


def report(page: Image.Image, draw: ImageDraw.ImageDraw, photos: list[Image.Image], random: Random) -> None:
    """Black on white, two columns, two photographs."""
    draw.text((60, 50), "Measurements of the river", (0, 0, 0), font(44))
    paragraph(draw, (60, 130, 430, 620), 18, random, (0, 0, 0))
    page.paste(photos[0].resize((400, 400), Image.Resampling.LANCZOS), (450, 130))
    draw.text((450, 540), "Figure 1. The mouth, seen from the north.", (90, 90, 90), font(16))
    page.paste(photos[1].resize((370, 370), Image.Resampling.LANCZOS), (60, 650))
    paragraph(draw, (450, 600, 850, 1140), 18, random, (0, 0, 0))


def poster(page: Image.Image, draw: ImageDraw.ImageDraw, photos: list[Image.Image], random: Random) -> None:
    """A photograph over the whole page, text and bars upon it."""
    page.paste(photos[0].resize((SIZE[1], SIZE[1]), Image.Resampling.LANCZOS).crop((150, 0, 150 + SIZE[0], SIZE[1])))
    draw.rectangle((0, 80, SIZE[0], 260), (200, 30, 40))
    draw.text((50, 110), "WINTER HARBOUR", (255, 255, 255), font(96))
    draw.rectangle((0, 980, SIZE[0], SIZE[1]), (20, 24, 60))
    paragraph(draw, (50, 1010, 850, 1180), 26, random, (240, 240, 200))


def screen(page: Image.Image, draw: ImageDraw.ImageDraw, photos: list[Image.Image], random: Random) -> None:
    """A window with a list of thumbnails, buttons, a gradient above."""
    for y in range(64):
        draw.line((0, y, SIZE[0], y), (60 + y, 90 + y, 140 + y))
    draw.rectangle((0, 64, SIZE[0], SIZE[1]), (244, 245, 247))
    draw.text((20, 16), "Photographs", (255, 255, 255), font(28))
    for i in range(9):
        x, y = 30 + i % 3 * 285, 90 + i // 3 * 360
        draw.rounded_rectangle((x, y, x + 265, y + 340), 12, (255, 255, 255), (200, 204, 210))
        page.paste(photos[i % len(photos)].resize((245, 245), Image.Resampling.BICUBIC), (x + 10, y + 10))
        paragraph(draw, (x + 12, y + 265, x + 250, y + 310), 16, random, (50, 54, 60))
        draw.ellipse((x + 225, y + 305, x + 247, y + 327), (40, 140, 90))


def chart(page: Image.Image, draw: ImageDraw.ImageDraw, photos: list[Image.Image], random: Random) -> None:
    """A diagram with bars and lines, a grey photograph below."""
    draw.text((60, 40), "Flow by month", (0, 0, 0), font(32))
    for i in range(11):
        draw.line((60, 600 - 48 * i, 840, 600 - 48 * i), (220, 220, 220))
        draw.text((20, 590 - 48 * i), str(10 * i), (80, 80, 80), font(16))
    heights = [random.randint(40, 460) for _ in range(12)]
    for i, height in enumerate(heights):
        draw.rectangle((80 + 63 * i, 600 - height, 120 + 63 * i, 600), (70, 120 + 8 * i, 190))
    draw.line([(100 + 63 * i, 580 - height // 2) for i, height in enumerate(heights)], (220, 80, 30), 3)
    page.paste(photos[0].convert("L").convert("RGB").resize((500, 500), Image.Resampling.LANCZOS), (60, 660))
    paragraph(draw, (590, 660, 850, 1150), 18, random, (0, 0, 0))


def slide(page: Image.Image, draw: ImageDraw.ImageDraw, photos: list[Image.Image], random: Random) -> None:
    """Clipped, saturated photographs on black, with large text."""
    draw.rectangle((0, 0, *SIZE), (0, 0, 0))
    hard = photos[0].resize((700, 700), Image.Resampling.LANCZOS).point(lambda v: min(255, max(0, 2 * v - 128)))
    page.paste(hard, (100, 60))
    draw.text((100, 790), "Every colour", (255, 220, 0), font(72))
    paragraph(draw, (100, 900, 800, 1160), 30, random, (255, 255, 255))


def letter(page: Image.Image, draw: ImageDraw.ImageDraw, photos: list[Image.Image], random: Random) -> None:
    """A page of text with a small photograph and a stamp."""
    page.paste(photos[0].resize((180, 180), Image.Resampling.LANCZOS), (660, 60))
    paragraph(draw, (80, 280, 820, 1000), 22, random, (20, 20, 60))
    draw.ellipse((600, 1010, 780, 1190), None, (180, 40, 40), 6)
    draw.text((630, 1085), "RECEIVED", (180, 40, 40), font(26))


PAINTERS: tuple[Painter, ...] = (report, poster, screen, chart, slide, letter)


def make(data: Path, folder: Path) -> list[Path]:
    """Write the pages as PNG into a folder: their paths. data: see above."""
    held = sorted((data / "photos").glob("urban_*.png"))[9::10] + sorted((data / "cid").glob("*.png"))[9::10]
    photos = []
    for path in held:
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        photos.append(image.crop((0, 0, side, side)))
    found = []
    for i, painter in enumerate(PAINTERS):
        page = Image.new("RGB", SIZE, (255, 255, 255))
        painter(page, ImageDraw.Draw(page), [photos[(3 * i + k) % len(photos)] for k in range(9)], Random(i))
        found.append(folder / f"{painter.__name__}.png")
        page.save(found[-1])
    return found


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print("\n".join(map(str, make(options.data, options.folder))))


if __name__ == "__main__":
    main()
