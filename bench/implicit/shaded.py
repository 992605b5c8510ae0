"""Draws meshes as shaded surfaces, side by side: an original, its voxels, and what networks say of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import inrcodec
from inrcodec import codec, views
from inrcodec.files import mesh
from inrcodec.options import Options

PIXELS = 420  # of a picture's side
SCALE = 2  # places of a network's surface for each voxel along an axis
LIGHT = np.array([0.35, 0.75, 0.55]) / np.linalg.norm([0.35, 0.75, 0.55])
PAIRS = 1 << 20  # of a triangle and a pixel that are looked at together

Floats = npt.NDArray[np.float64]


def shaded(vertices: Floats, faces: npt.NDArray[np.int64], middle: Floats, half: float) -> Floats:
    """(PIXELS, PIXELS) grey values 0 … 1 of a surface seen along −z, y down, NaN where there is none: the nearest triangle counts.

    middle, half: of the cube that is seen.
    """
    corners = ((vertices - middle) / half)[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    places = (corners[:, :, :2] * [-1, 1] + 1) * (PIXELS / 2) - 0.5
    first = np.clip(np.ceil(places.min(axis=1)), 0, PIXELS).astype(np.int64)
    sizes = np.maximum(np.clip(np.floor(places.max(axis=1)) + 1, 0, PIXELS).astype(np.int64) - first, 0)
    depth = np.full((PIXELS, PIXELS), -np.inf)
    light = np.full((PIXELS, PIXELS), np.nan)
    counts = sizes.prod(axis=1)
    step = max(1, PAIRS // max(1, int(counts.max())))
    for start in range(0, len(faces), step):
        part = np.arange(start, min(start + step, len(faces)))
        which = np.repeat(part, counts[part])
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
        column, line = first[which, 0] + within // sizes[which, 1], first[which, 1] + within % sizes[which, 1]
        (x0, y0), (x1, y1), (x2, y2) = (places[which, k].T for k in range(3))
        whole = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        with np.errstate(divide="ignore", invalid="ignore"):
            b = ((column - x0) * (y2 - y0) - (line - y0) * (x2 - x0)) / whole
            c = ((x1 - x0) * (line - y0) - (y1 - y0) * (column - x0)) / whole
        z = corners[which, 0, 2] * (1 - b - c) + corners[which, 1, 2] * b + corners[which, 2, 2] * c
        seen = (b >= -1e-9) & (c >= -1e-9) & (b + c <= 1 + 1e-9)
        order = np.argsort(z[seen], kind="stable")  # the nearest is written last
        i, j, near, face = line[seen][order], column[seen][order], z[seen][order], which[seen][order]
        nearer = near > depth[i, j]
        i, j, near, face = i[nearer], j[nearer], near[nearer], face[nearer]
        depth[i, j] = near
        light[i, j] = 0.25 + 0.75 * np.maximum(np.abs(normals[face] @ LIGHT), 0)
    return light


def surface(data: bytes, network: bool) -> Any:
    """The mesh of a file: of its exact voxels, or of its network at SCALE times as many places."""
    import trimesh

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "surface.ply"
        if network:
            opened = codec.open_bytes(data)
            sizes = tuple(SCALE * n for n in opened.layout.axes)
            found = views.field(opened, views.View(sizes, network_only=True), Options(threads=1))
            mesh.write_field(path, mesh.closed(found), opened.header.shape, opened.metadata)
        else:
            mesh.write(path, inrcodec.decode(data, threads=1))
        return trimesh.load_mesh(path, process=False)


def draw(picture: Path, original: Path, files: dict[str, bytes]) -> None:
    """Draw a mesh, its voxels, and the surfaces of some networks of them. files: by their weights' coding."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import trimesh
    from PIL import Image

    first = trimesh.load_mesh(original, process=False)
    low, high = first.bounds
    middle, half = (low + high) / 2, 0.53 * float((high - low).max())
    any_file = next(iter(files.values()))
    panels = [(f"{original.stem}: {len(first.faces):,} triangles", first)]
    panels.append((f"{' × '.join(map(str, inrcodec.info(any_file)['shape']))} voxels, exact", surface(any_file, False)))
    for label in [label for label in ("lsq 8", "ternary") if label in files]:
        found = inrcodec.info(files[label])
        told = f"network alone, {label}: {found['bytes']['weights']:,} bytes, IoU {found['network']['iou']:.4f}"
        panels.append((told, surface(files[label], True)))
    figure, axes = plt.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.8), squeeze=False)
    for axis, (title, seen) in zip(axes[0], panels, strict=True):
        faces = np.asarray(seen.faces, np.int64)
        axis.imshow(shaded(np.asarray(seen.vertices, np.float64), faces, middle, half), cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=8)
        axis.axis("off")
    figure.tight_layout()
    with tempfile.TemporaryDirectory() as folder:
        figure.savefig(Path(folder) / "x.png", dpi=100)
        Image.open(Path(folder) / "x.png").convert("L").quantize(32).save(picture, optimize=True)
    plt.close(figure)
