"""Comparisons for tests of what is made of them: invented numbers, and names that try to break out."""

from __future__ import annotations

import random

from inrcodec.compare.result import ARRAYS, LATTICE, PLAIN, SOUND, Comparison, FileResult, Measurement

CODECS = {  # by group: share of the raw bytes, seconds per MB to encode and to decode
    LATTICE: {"inrcodec -1": (0.21, 0.2, 0.2), "inrcodec -4": (0.2, 0.8, 0.7), "PNG": (0.55, 0.5, 0.01), "JPEG XL": (0.34, 4.0, 0.04)},
    PLAIN: {"inrcodec -1": (0.36, 0.2, 0.2), "inrcodec -4": (0.33, 0.8, 0.7), "PNG": (0.52, 0.5, 0.01), "JPEG XL": (0.36, 4.0, 0.04)},
    SOUND: {"inrcodec -1": (0.45, 0.2, 0.2), "inrcodec -4": (0.43, 0.9, 0.8), "FLAC": (0.47, 0.4, 0.01), "WavPack": (0.46, 1.4, 0.02)},
    ARRAYS: {"inrcodec -1": (0.31, 0.2, 0.2), "inrcodec -4": (0.29, 0.8, 0.7), "Blosc2": (0.5, 0.01, 0.001), "pcodec": (0.4, 0.02, 0.004)},
}
SHAPES = {
    LATTICE: ("image", (60, 80, 3), "uint8"),
    PLAIN: ("image", (60, 80), "uint16"),
    SOUND: ("audio", (9600,), "int16"),
    ARRAYS: ("array", (20, 30), "float32"),
}
HOSTILE = (
    "<script>document.title = 'broken'</script>.png",
    "<img src=x onerror=\"document.title = 'broken'\">.png",
    "a\"b'c&d>e.png",
    "</script><!--.png",
    "\u202egnp.exe",
    "100%25 %s %n.png",
    "two\nlines\tand\ra tab.png",
    "long " + "x" * 300 + ".png",
    "\udcff\udcfe.png",
    "{{ 7 * 7 }}{% raw %}.png",
    "שלום עולם.png",
    "javascript:alert(1)",
)


def measured(codec: str, size: int, encode: float, decode: float) -> Measurement:
    """A measurement in few words."""
    return Measurement(codec, "", size, float(encode), float(decode))


def compared(count: int) -> Comparison:
    """A comparison of so many files, of all groups in turn; the same numbers each time."""
    rng = random.Random(count)
    files = tuple(_file(i, rng) for i in range(count))
    return Comparison(
        files,
        {"AVIF": "imagecodecs was built without it"},
        {"photos/holiday.jpg": "is lossy", "broken.png": "is damaged"},
        {"Python": "3.11.7", "imagecodecs": "2026.3.6"},
        "a processor, 2 cores, Linux",
        "inrcodec bench photos --effort 1 --effort 4",
        2,
        "2026-11-29T12:00:00Z",
    )


def _file(i: int, rng: random.Random) -> FileResult:
    group = [*SHAPES][i % len(SHAPES)]
    kind, shape, dtype = SHAPES[group]
    raw = 19_200 if group != ARRAYS else 2400
    ones = []
    for codec, (share, encode, decode) in CODECS[group].items():
        noise = rng.uniform(0.8, 1.2)
        ones.append(Measurement(codec, "the default", round(share * raw * noise), encode * raw / 1e6, decode * raw / 1e6, 10**7))
    return FileResult(
        f"{group.split()[0]}/{i:04}.x", group, kind, shape, dtype, raw, raw + 100, tuple(ones), {"JPEG-LS": "takes no such thing"}
    )
