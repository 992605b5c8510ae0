"""Arrays made by code, with fixed seeds, for `bench.arrays`: smooth fields, masks, decimals, integers, series and sets of small pictures.

OpenCV draws the letters and icons, so their bytes may differ between its versions; those of the other arrays do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft, interpolate, ndimage
from sklearn.datasets import load_digits, load_sample_image

Samples = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


# --- smooth fields ------------------------------------------------------------------------------------------------


def gaussian_field(shape: tuple[int, ...], power: Callable[[Floats], Floats], seed: int) -> Floats:
    """A periodic Gaussian random field of mean 0 and variance 1. power: of a wave of k cycles per cube, k > 0; float64."""
    g = np.random.default_rng(seed)
    axes = [fft.fftfreq(n, 1 / n) for n in shape[:-1]] + [fft.rfftfreq(shape[-1], 1 / shape[-1])]
    k = np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))
    k.flat[0] = 1
    waves = fft.rfftn(g.standard_normal(shape)) * np.sqrt(power(k))
    waves.flat[0] = 0
    field = fft.irfftn(waves, shape)
    return np.asarray(field / field.std())


def turbulence(size: int, resolution: float, seed: int) -> Floats:
    """(size, size, size) float64: one component of a turbulent velocity, by the model spectrum of Pope, Turbulent Flows, 6.5.3.

    Energy falls as k^(-5/3), and exponentially in the dissipation range. resolution: of the grid, the largest wavenumber times the
    Kolmogorov length; simulations have 1 to 3, and at 3 the field is smooth at the scale of the grid.
    """
    eta = resolution / (size / 2)

    def power(k: Floats) -> Floats:
        large = (k / np.sqrt(k**2 + 6.78 / 2)) ** (11 / 3)
        small = np.exp(-5.2 * (((k * eta) ** 4 + 0.4**4) ** 0.25 - 0.4))
        return np.asarray(k ** (-5 / 3) * large * small / k**2)  # energy of a shell, over the waves in it

    return gaussian_field((size, size, size), power, seed)


def surface(shape: tuple[int, ...], slope: float, seed: int) -> Floats:
    """A fractal surface, variance 1: power k^(−slope)."""
    return gaussian_field(shape, lambda k: np.asarray(k**-slope), seed)


def sea(n: int, fill: float, seed: int) -> Samples:
    """(12, n, 2n) float32: temperatures of the sea by month, in degrees; `fill` on land."""
    wave = surface((12, n, 2 * n), 4.5, seed)
    latitude = np.cos(np.linspace(-1.5, 1.5, n))[None, :, None]
    season = np.cos(np.arange(12) * np.pi / 6)[:, None, None] * np.linspace(-1, 1, n)[None, :, None]
    found = (28 * latitude + 3 * season + 2 * wave).astype(np.float32)
    found[:, surface((n, 2 * n), 3.2, seed + 1) > 0.6] = fill
    return found


def decimals(size: int, dtype: npt.DTypeLike, seed: int) -> Samples:
    """(16, size, size): measured values with two digits behind the point."""
    g = np.random.default_rng(seed)
    field = 20 + 8 * surface((16, size, size), 3.5, seed) + 0.05 * g.standard_normal((16, size, size))
    return (np.rint(100 * field) / 100).astype(dtype)


def stations(days: int, seed: int) -> Samples:
    """(days, 24) float64: temperatures of every hour, with one digit."""
    g = np.random.default_rng(seed)
    slow = np.cumsum(g.standard_normal(days * 24)) * 0.3
    slow -= ndimage.uniform_filter1d(slow, 2000)
    hours = np.arange(days * 24)
    values = 10 - 12 * np.cos(hours / 24 / 365 * 2 * np.pi) - 4 * np.cos(hours / 24 * 2 * np.pi) + slow
    return np.asarray(np.rint(10 * values) / 10).reshape(days, 24)


def counts(size: int, seed: int) -> Samples:
    """(8, size, size) float64: numbers of events, integers all."""
    g = np.random.default_rng(seed)
    return g.poisson(np.exp(3 + surface((8, size, size), 3.5, seed))).astype(np.float64)


def elevation(size: int, seed: int) -> Samples:
    """(size, size) int32: heights in millimetres, −400 to 2500 metres or so, with hills, plains and noise of measuring."""
    g = np.random.default_rng(seed)
    hills, rough = surface((size, size), 4.2, seed), surface((size, size), 3, seed + 1)
    steep = 1 / (1 + np.exp(-2 * hills))
    metres = 700 * hills + 300 + 40 * steep * rough + 0.02 * g.standard_normal((size, size))
    return np.rint(1000 * metres).astype(np.int32)


# --- series of pictures -------------------------------------------------------------------------------------------


def cells(pages: int, size: int, seed: int) -> Samples:
    """(pages, size, size) uint16: cells under a microscope that move and flash, 12 bits, with noise of photons and of reading."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size].astype(np.float64)
    number = size // 3
    places, speeds = g.uniform(0, size, (number, 2)), 0.3 * g.standard_normal((number, 2))
    widths, lights, phases = g.uniform(2, 6, number), g.gamma(2, 150, number), g.uniform(0, 6.28, number)
    ground = 180 + 60 * surface((size, size), 3, seed)
    found = np.empty((pages, size, size), np.uint16)
    for page in range(pages):
        light = ground.copy()
        for (cy, cx), width, strength in zip(places + page * speeds, widths, lights * (1.2 + np.sin(phases + page / 5)), strict=True):
            light += strength * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        seen = g.poisson(np.maximum(light, 1)) + 4 * g.standard_normal(light.shape) + 100
        found[page] = np.clip(np.rint(seen), 0, 4095)
    return found


def pan(pages: int, size: int, seed: int) -> Samples:
    """(pages, size, size) uint8: a camera that pans over a photograph, with noise."""
    g = np.random.default_rng(seed)
    photo = load_sample_image("china.jpg").astype(np.float64).mean(2)
    found = np.empty((pages, size, size), np.uint8)
    for page in range(pages):
        y, x = np.mgrid[0:size, 0:size] + np.array([100 + 0.35 * page, 200 + 1.3 * page])[:, None, None]
        view = ndimage.map_coordinates(photo, [y, x], order=1, mode="reflect") + 1.5 * g.standard_normal((size, size))
        found[page] = np.clip(np.rint(view), 0, 255)
    return found


# --- sets of small pictures ---------------------------------------------------------------------------------------


def digits() -> Samples:
    """(1797, 8, 8) uint8, values 0 to 16: scikit-learn's handwritten digits."""
    return np.asarray(load_digits().images, np.uint8)


def _boxed(drawn: Samples) -> Samples:
    """(28, 28) uint8: a drawing fit into 20 × 20 pixels, its centre of mass in the middle, as the digits of MNIST are."""
    ys, xs = np.nonzero(drawn.max(1))[0], np.nonzero(drawn.max(0))[0]
    crop = drawn[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    scale = 20 / max(crop.shape)
    height, width = (max(1, round(scale * n)) for n in crop.shape)
    small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
    mass = ndimage.center_of_mass(small)
    top, left = (int(np.clip(round(13.5 - m), 0, 28 - n)) for m, n in zip(mass, small.shape, strict=True))
    found = np.zeros((28, 28), np.uint8)
    found[top : top + height, left : left + width] = small
    return found


def _warp(drawn: Samples, g: np.random.Generator) -> Samples:
    """A drawing turned, sheared and scaled at random."""
    angle, shear = g.normal(0, 0.15), g.normal(0.1, 0.2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[g.uniform(0.7, 1.1), shear], [0, g.uniform(0.8, 1.1)]]) * 0.75
    middle = np.array(drawn.shape[::-1]) / 2
    return cv2.warpAffine(drawn, np.column_stack([matrix, middle - matrix @ middle]), drawn.shape[::-1], flags=cv2.INTER_LINEAR)


FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)


def letters(number: int, seed: int, marks: str = "0123456789ABCDEFGHKMNPRSTWXYZabdefghkmnqrty") -> Samples:
    """(number, 28, 28) uint8: digits and letters in four fonts, turned, sheared, of several widths of the pen, antialiased."""
    g = np.random.default_rng(seed)
    found = np.empty((number, 28, 28), np.uint8)
    for i in range(number):
        drawn = np.zeros((112, 112), np.uint8)
        mark, font, pen = marks[int(g.integers(len(marks)))], FONTS[int(g.integers(len(FONTS)))], int(g.integers(5, 12))
        cv2.putText(drawn, mark, (30, 82), font, 2.4, 255, pen, cv2.LINE_AA)
        found[i] = _boxed(_warp(drawn, g))
    return found


STROKES: tuple[tuple[tuple[tuple[int, int], ...], ...], ...] = (  # of each digit, points (x, y) of a square of 100
    (((55, 12), (25, 30), (22, 65), (48, 90), (75, 68), (76, 30), (52, 12)),),
    (((38, 25), (52, 12), (51, 50), (50, 88)),),
    (((25, 30), (45, 10), (72, 25), (62, 52), (28, 86), (50, 84), (78, 86)),),
    (((28, 20), (55, 10), (70, 28), (45, 47), (72, 65), (58, 88), (26, 82)),),
    (((60, 10), (40, 35), (22, 62), (50, 62), (80, 60)), ((62, 40), (60, 65), (58, 92))),
    (((72, 12), (50, 13), (34, 14), (30, 45), (60, 45), (72, 68), (55, 88), (26, 84)),),
    (((65, 10), (38, 35), (25, 68), (45, 90), (70, 75), (58, 55), (30, 65)),),
    (((24, 15), (50, 14), (76, 13), (58, 45), (45, 90)),),
    (((68, 22), (45, 10), (30, 27), (52, 48), (70, 70), (48, 90), (28, 72), (48, 48), (68, 22)),),
    (((70, 30), (48, 12), (28, 32), (45, 50), (68, 34), (68, 60), (60, 90)),),
)


def handwriting(number: int, seed: int) -> Samples:
    """(number, 28, 28) uint8: digits as smooth strokes through points that vary, with a pen of varying width. Much like MNIST."""
    g = np.random.default_rng(seed)
    found = np.empty((number, 28, 28), np.uint8)
    for i in range(number):
        drawn = np.zeros((112, 112), np.uint8)
        pen = int(g.integers(6, 13))
        for stroke in STROKES[int(g.integers(10))]:
            points = np.array(stroke, np.float64) + 6 + 3.5 * g.standard_normal((len(stroke), 2))
            curve = interpolate.make_interp_spline(np.arange(len(points)), points, k=min(3, len(points) - 1))
            line = curve(np.linspace(0, len(points) - 1, 8 * len(points)))
            cv2.polylines(drawn, [np.rint(16 * line).astype(np.int32)[:, None]], False, 255, pen, cv2.LINE_AA, 4)
        found[i] = _boxed(_warp(drawn, g))
    return found


def icons(number: int, seed: int) -> Samples:
    """(number, 16, 16) uint8: grey icons: frames, discs, arrows, bars and ticks, antialiased, on white or on black."""
    g = np.random.default_rng(seed)
    found = np.empty((number, 16, 16), np.uint8)
    for i in range(number):
        drawn = np.zeros((64, 64), np.uint8)
        for _ in range(int(g.integers(1, 4))):
            a, b = (tuple(int(v) for v in 4 * g.integers(1, 15, 2)) for _ in range(2))
            grey, pen = int(g.choice([96, 160, 208, 255])), int(g.choice([4, 4, 8]))
            kind = int(g.integers(5))
            if kind == 0:
                cv2.rectangle(drawn, a, b, grey, int(g.choice([-1, 4])))
            elif kind == 1:
                cv2.circle(drawn, (32, 32), 4 * int(g.integers(2, 8)), grey, int(g.choice([-1, 4])), cv2.LINE_AA)
            elif kind == 2:
                cv2.arrowedLine(drawn, (8, a[1]), (56, a[1]), grey, pen, cv2.LINE_AA, 0, 0.4)
            elif kind == 3:
                for y in range(12, 60, 16):
                    cv2.line(drawn, (10, y), (54, y), grey, pen)
            else:
                cv2.polylines(drawn, [np.array([[12, 36], [26, 50], [52, 14]])], False, grey, pen, cv2.LINE_AA)
        small = cv2.resize(drawn, (16, 16), interpolation=cv2.INTER_AREA)
        found[i] = 255 - small if g.integers(2) else small
    return found


# --- all of them --------------------------------------------------------------------------------------------------


def random_floats(number: int, seed: int) -> Samples:
    """(number,) float32: random bits, NaNs with payloads among them."""
    return np.random.default_rng(seed).integers(0, 2**32, number, np.uint32).view(np.float32)


@dataclass(frozen=True)
class Made:
    """An array that is made by code. group: of the table's rows."""

    group: str
    make: Callable[[], Samples]


MADE: dict[str, Made] = {
    "turbulence_f32": Made("smooth floats", lambda: turbulence(128, 1.5, 1).astype(np.float32)),
    "turbulence_f64": Made("smooth floats", lambda: turbulence(128, 1.5, 1)),
    "turbulence_fine_f32": Made("smooth floats", lambda: turbulence(128, 3, 2).astype(np.float32)),
    "turbulence_fine_f64": Made("smooth floats", lambda: turbulence(128, 3, 2)),
    "sea_nan_f32": Made("masked floats", lambda: sea(90, np.nan, 3)),
    "sea_1e20_f32": Made("masked floats", lambda: sea(90, 1e20, 4)),
    "sea_9999_f64": Made("masked floats", lambda: sea(90, -9999, 5).astype(np.float64)),
    "decimals_f32": Made("floats with structure", lambda: decimals(128, np.float32, 6)),
    "decimals_f64": Made("floats with structure", lambda: decimals(128, np.float64, 7)),
    "stations_f64": Made("floats with structure", lambda: stations(2000, 8)),
    "widened_f64": Made("floats with structure", lambda: turbulence(64, 2, 9).astype(np.float32).astype(np.float64)),
    "counts_f64": Made("floats with structure", lambda: counts(128, 10)),
    "elevation_mm_i32": Made("integers", lambda: elevation(768, 11)),
    "cells_u16": Made("series of pictures", lambda: cells(40, 128, 12)),
    "pan_u8": Made("series of pictures", lambda: pan(40, 160, 13)),
    "digits_u8": Made("sets", digits),
    "digits_f64": Made("sets", lambda: digits().astype(np.float64)),
    "glyphs_u8": Made("sets", lambda: handwriting(60000, 14)),
    "letters_u8": Made("sets", lambda: letters(20000, 15)),
    "icons_u8": Made("sets", lambda: icons(60, 16)),
    "icons_few_u8": Made("sets", lambda: icons(12, 17)),
    "random_f32": Made("other", lambda: random_floats(10**6, 18)),
    "all_f16": Made("other", lambda: np.arange(2**16, dtype=np.uint16).view(np.float16)),
}
