"""Closed triangle meshes → voxels, and fields of voxels → meshes. Neither keeps everything, so meshes are no file type of `registry`.

Read: OBJ, PLY, STL and OFF. Of what they hold, positions and faces count; polygons become triangles. No other file is opened, whatever they
name. The signal is an array of bool, (x, y, z), as `voxelize` makes it. Its metadata says where the voxels lie, in the mesh's own units:

- `mesh/origin`: the centre of the first voxel, "X Y Z"
- `mesh/pitch`: from one centre to the next

Written: the surface between what is inside and what is not, by marching cubes: Lewiner et al., "Efficient Implementation of Marching Cubes'
Cases with Topological Guarantees" (JGT 2003), in the place that the metadata tells.

trimesh and scikit-image come with the extra `mesh`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, InrcodecError, UnsupportedError, naming
from ..limits import Limits
from ..signal import Signal
from . import bounds, optional, voxelize
from .faults import faults
from .registry import MESHES

NEEDED = {"trimesh": "trimesh", "skimage": "scikit-image"}  # module: name of its package
LEAST_VOXELS, MOST_VOXELS = 2, 1024  # along the longest side
PARSED_BYTES = 40  # of memory that a byte of a file takes at most while it is parsed
FIELD_BYTES = 24  # that a place takes at most while a surface is found
ORIGIN, PITCH = "mesh/origin", "mesh/pitch"

Floats = npt.NDArray[np.float64]
USUAL = Limits()


def is_mesh(path: Path) -> bool:
    """Whether the extension of a path is that of a mesh."""
    return path.suffix.lower() in MESHES


def require(what: str) -> None:
    """Raise MissingError if a package is missing; its message says that `what` needs it."""
    optional.require(what, NEEDED)


def read(path: Path | str, voxels: int, limits: Limits = USUAL) -> Signal:
    """The voxels of a mesh: a cube of voxels³ around it, of which those whose centres lie inside are 1.

    voxels: along the longest side of the mesh, LEAST_VOXELS to MOST_VOXELS.

    Raises:
        MissingError: trimesh is not installed.
        UnsupportedError: the mesh is not closed or empty, a position is no number, or no voxel is inside.
        LimitError: it asks for more than the limits allow.
        FormatError: it is damaged or not what its name says.
        OSError: it cannot be opened or read.
    """
    path = Path(path)
    if not LEAST_VOXELS <= voxels <= MOST_VOXELS:
        raise ValueError(f"voxels is {voxels}; it can be {LEAST_VOXELS} to {MOST_VOXELS}")
    with path.open("rb") as file, naming(path):
        require("a mesh")
        limits.check_shape([voxels] * 3)
        content = bounds.contents(file, limits)
        if not content:
            raise InrcodecError("empty file")
        limits.check_memory(PARSED_BYTES * len(content))
        with faults(f"damaged or not a {path.suffix} file"):
            vertices, faces = _parsed(content, path.suffix.lower())
        limits.check_memory(len(content) + voxelize.memory(voxels, len(faces)))
        return _signal(vertices, faces, voxels)


def _parsed(content: bytes, extension: str) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The positions (n, 3) and triangles (m, 3) of a mesh. Raises FormatError; UnsupportedError; what trimesh raises."""
    import trimesh

    more: dict[str, Any] = {"skip_materials": True} if extension == ".obj" else {}
    found = trimesh.load_mesh(io.BytesIO(_as_utf8(content, extension)), file_type=extension[1:], process=False, **more)
    vertices, faces = np.asarray(getattr(found, "vertices", ()), np.float64), np.asarray(getattr(found, "faces", ()))
    if not vertices.size or not faces.size:
        raise UnsupportedError("the mesh is empty: it has no triangles")
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise FormatError("damaged: its faces are no triangles in space")
    faces = faces.astype(np.int64)
    if int(faces.min()) < 0 or int(faces.max()) >= len(vertices):
        raise FormatError("damaged: a face names a vertex that is not there")
    return vertices, faces


def _as_utf8(content: bytes, extension: str) -> bytes:
    """The bytes of a mesh with its texts in UTF-8, which trimesh expects: names and comments may be in another encoding.

    A .ply has a header of lines, then numbers that may be binary; a .stl is binary unless it begins with "solid" and has no NUL.
    """
    if extension == ".ply":
        header, end, rest = content.partition(b"end_header")
    elif extension == ".stl" and (not content.lstrip().startswith(b"solid") or b"\0" in content):
        return content
    else:
        header, end, rest = content, b"", b""
    try:
        header.decode()
    except UnicodeDecodeError:
        header = header.decode("latin-1").encode()
    return header + end + rest


def _signal(vertices: Floats, faces: npt.NDArray[np.int64], size: int) -> Signal:
    """The voxels of a parsed mesh. Raises UnsupportedError."""
    used = vertices[np.unique(faces)]
    if not np.isfinite(used).all():
        raise UnsupportedError("a vertex of the mesh is not finite (NaN or infinite)")
    try:
        grid = voxelize.grid_around(used, size)
    except ValueError as fault:
        raise UnsupportedError(f"the mesh cannot be voxelized: {fault}") from None
    kept = np.where(np.isfinite(vertices), vertices, 0.0)
    corners, triangles = voxelize.merged(voxelize.rounded(kept, grid), faces)
    if odd := voxelize.open_edges(triangles):
        raise UnsupportedError(f"the mesh is not closed, so it has no inside: {odd} open edges (edges of an odd number of triangles)")
    samples = voxelize.voxels(corners, triangles, size)
    if not samples.any():
        raise UnsupportedError(f"no centre of {size} × {size} × {size} voxels lies inside the mesh; it is too thin: take more voxels")
    return Signal(samples, metadata=placement(grid.first, grid.pitch))


def placement(origin: Sequence[float], pitch: float) -> dict[str, bytes]:
    """The metadata that says where voxels lie."""
    return {ORIGIN: " ".join(map(repr, map(float, origin))).encode(), PITCH: repr(float(pitch)).encode()}


def placed(metadata: Mapping[str, bytes]) -> tuple[Floats, float]:
    """(centre of the first voxel, pitch) that metadata says; 0 and 1 if it says nothing that makes sense."""
    numbers = [_number(x) for x in [*metadata.get(ORIGIN, b"").split(b" "), metadata.get(PITCH, b"")]]
    if len(numbers) != 4 or None in numbers or not numbers[3] or numbers[3] < 0:
        return np.zeros(3), 1.0
    *origin, pitch = (float(x or 0) for x in numbers)
    return np.array(origin), pitch


def _number(text: bytes) -> float | None:
    """The number that a text stands for, as Python writes it; None if it is none, or not finite."""
    if not re.fullmatch(rb"-?\d{1,30}(\.\d{1,30})?(e[+-]\d{1,3})?", text):
        return None
    found = float(text)
    return found if math.isfinite(found) else None


def check(path: Path) -> None:
    """Raise MissingError, naming the file, if a mesh cannot be written because a package is missing."""
    with naming(path):
        require("a mesh")


def fault_of(shape: Sequence[int], bits: int) -> str | None:
    """Why samples of this shape, and of so many bits, have no surface; None if they have one."""
    if len(shape) != 3 or bits != 1:
        axes = f"{len(shape)} ax{'is' if len(shape) == 1 else 'es'}"
        return f"a mesh is written of volumes of one bit and three axes, and this has {axes} of {bits} bit{'s' if bits != 1 else ''}"
    return None


def write(path: Path | str, signal: Signal, limits: Limits = USUAL) -> None:
    """Write the surface of voxels, (x, y, z) of 0 and 1: half-way between those that are 1 and those that are not.

    Raises:
        MissingError: trimesh or scikit-image is not installed.
        UnsupportedError: the samples are no volume of one bit, or none of them is 1.
        LimitError: it would take more memory than the limits allow.
        OSError: the file cannot be written.
    """
    with naming(Path(path)):
        if fault := fault_of(signal.samples.shape, signal.bit_depth):
            raise UnsupportedError(fault)
        limits.check_memory(FIELD_BYTES * signal.samples.size)
        field = np.pad(signal.samples.astype(np.float32), 1)
    write_field(path, field - np.float32(0.5), signal.samples.shape, signal.metadata)


def write_field(path: Path | str, field: npt.NDArray[np.float32], shape: Sequence[int], metadata: Mapping[str, bytes]) -> None:
    """Write the surface where a field is 0; it is positive inside.

    field: (x, y, z), places over the extent of the voxels, with one more at each end, see `closed`; shape: of the voxels; metadata: where
    these lie. Raises as `write`.
    """
    path = Path(path)
    with naming(path):
        require("a mesh")
        if not (field > 0).any():
            raise UnsupportedError("nothing is inside, so there is no surface")
        with faults(f"cannot be written as {path.suffix}"):
            import trimesh
            from skimage.measure import marching_cubes

            found, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")  # type: ignore[no-untyped-call]
            origin, pitch = placed(metadata)
            spacing = [pitch * (n - 1) / (m - 3) if n > 1 and m > 3 else pitch for n, m in zip(shape, field.shape, strict=True)]
            vertices = (found.astype(np.float64) - 1) * np.array(spacing) + origin
            mesh = trimesh.Trimesh(vertices, faces, process=False)
            mesh.export(path, file_type=path.suffix.lower()[1:])


def closed(field: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """A field of integers, which is above 0 inside, with one more place at each end that is outside, so that its surface is closed.

    The outer places mirror those beside them: where these are inside, the surface lies half a place outside of them. No place is 0.
    """
    whole = np.pad(field.astype(np.float32) - np.float32(0.5), 1, mode="edge")
    for axis in range(whole.ndim):
        for end in (0, -1):
            border: Any = [slice(None)] * whole.ndim
            border[axis] = end
            whole[tuple(border)] = -np.abs(whole[tuple(border)])
    return whole
