"""A scene of analytic shapes and its views, by sphere tracing (Hart, "Sphere Tracing", The Visual Computer 1996). NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RADIUS = 1.15  # of the ball that holds the scene
DISTANCE = 3.0  # of the cameras from the middle
VIEW = 0.9  # tangent of the angle that half a view spans, times DISTANCE / RADIUS
STEPS = 64
LIGHT = np.array([0.5, -0.4, 0.77])


@dataclass(frozen=True)
class View:
    """One view. origin: (3,) of its camera; rays: (pixels, 3) unit directions; colours: (pixels, 3), 0 to 1."""

    origin: Floats
    rays: Floats
    colours: Floats


def distances(p: Floats) -> Floats:
    """Signed distances of points, (n, 3), to each shape: a sphere, a torus, a rounded box, a disk below them; (n, 4)."""
    sphere = np.linalg.norm(p - [0.45, 0.35, 0.05], axis=1) - 0.35
    q = p - np.array([-0.45, 0.3, 0.0])
    ring = np.hypot(q[:, 0], q[:, 2]) - 0.32
    torus = np.hypot(ring, q[:, 1]) - 0.12
    inside = np.abs(p - [0.0, -0.45, -0.05]) - [0.35, 0.22, 0.22]
    box = np.linalg.norm(np.maximum(inside, 0), axis=1) + np.minimum(inside.max(1), 0) - 0.05
    flat = np.stack([np.hypot(p[:, 0], p[:, 1]) - 1.0, np.abs(p[:, 2] + 0.42) - 0.06], axis=1)
    disk = np.linalg.norm(np.maximum(flat, 0), axis=1) + np.minimum(flat.max(1), 0)
    return np.stack([sphere, torus, box, disk], axis=1)


def paint(p: Floats, shape: Any) -> Floats:
    """The colours of points, (n, 3), on shapes of these numbers, (n,): plain, in stripes, and a chequered disk."""
    cells = (np.floor(4 * p[:, 0]) + np.floor(4 * p[:, 1])) % 2
    stripes = 0.5 + 0.5 * np.sin(18 * p[:, 0] + 6 * p[:, 2])
    ones = np.ones(len(p))
    colours = [
        np.stack([0.9 * ones, 0.25 + 0.5 * stripes, 0.2 * ones], axis=1),
        np.stack([0.15 * ones, 0.55 * ones, 0.85 * ones], axis=1),
        np.stack([0.25 + 0.6 * stripes, 0.75 * ones, 0.3 * ones], axis=1),
        np.stack([0.35 + 0.5 * cells, 0.35 + 0.45 * cells, 0.4 + 0.3 * cells], axis=1),
    ]
    found: Floats = np.stack(colours)[shape, np.arange(len(p))]
    return found


def rays_of(origin: Floats, size: int) -> Floats:
    """Unit directions of a square view of the middle, (size², 3), row by row from the top."""
    forward = -origin / np.linalg.norm(origin)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    half = VIEW * RADIUS / DISTANCE
    y, x = np.mgrid[0:size, 0:size]
    across, down = half * ((2 * x + 1) / size - 1), half * ((2 * y + 1) / size - 1)
    found = forward + across[..., None] * right - down[..., None] * up
    return np.asarray((found / np.linalg.norm(found, axis=2, keepdims=True)).reshape(-1, 3))


def trace(origin: Floats, rays: Floats) -> Floats:
    """The colours that rays see, (pixels, 3): Lambert's law with ambient light, on white."""
    along = np.full(len(rays), DISTANCE - RADIUS)
    for _ in range(STEPS):
        along += distances(origin + along[:, None] * rays).min(1)
    points = origin + along[:, None] * rays
    near = distances(points)
    hit = (near.min(1) < 1e-3) & (along < DISTANCE + RADIUS)
    shifts = 1e-4 * np.eye(3)
    normals = np.stack([distances(points + d).min(1) - distances(points - d).min(1) for d in shifts], axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    light = 0.35 + 0.65 * np.maximum(normals @ (LIGHT / np.linalg.norm(LIGHT)), 0)
    colours = paint(points, near.argmin(1)) * light[:, None]
    return np.where(hit[:, None], colours, 1.0)


def views(count: int, size: int, seed: int) -> list[View]:
    """Views from places that are spread over the upper part of a sphere, turned by a seed."""
    rng = np.random.default_rng(seed)
    turn = rng.uniform(0, 2 * np.pi)
    found = []
    for i in range(count):
        height = 0.15 + 0.7 * (i + 0.5) / count
        angle = turn + i * np.pi * (3 - np.sqrt(5))  # Fibonacci's spiral
        flat = np.sqrt(1 - height * height)
        origin = DISTANCE * np.array([flat * np.cos(angle), flat * np.sin(angle), height])
        rays = rays_of(origin, size)
        found.append(View(origin, rays, trace(origin, rays)))
    return found
