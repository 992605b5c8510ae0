"""Meshes: which voxels lie inside, what is refused, and the surfaces that are written."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import inrcodec
from inrcodec import Signal, files
from inrcodec.cli import main
from inrcodec.errors import InrcodecError, LimitError, UnsupportedError
from inrcodec.files import mesh, voxelize
from inrcodec.files.registry import MESHES
from inrcodec.limits import Limits

TETRAHEDRON = ((0, 1, 2), (0, 3, 1), (1, 3, 2), (2, 3, 0))
CUBE = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
CUBE_FACES = np.array(
    [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
)


def obj(vertices: Any, faces: Any) -> str:
    return "".join(
        [f"v {x!r} {y!r} {z!r}\n" for x, y, z in np.asarray(vertices, float).tolist()]
        + [f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in faces]
    )


def saved(path: Path, vertices: Any = CUBE, faces: Any = CUBE_FACES) -> Path:
    path.write_text(obj(vertices, faces))
    return path


def refused(path: Path, match: str, voxels: int = 8, fault: type[Exception] = InrcodecError, limits: Limits = mesh.USUAL) -> None:
    with pytest.raises(fault, match=match) as info:
        mesh.read(path, voxels, limits)
    assert str(info.value).startswith(f"{path}: ")
    assert "\n" not in str(info.value)


# --- which voxels lie inside --------------------------------------------------------------------------------------


def volume(a: Any, b: Any, c: Any, d: Any) -> int:
    """Six times that of a tetrahedron, with a sign: in Python's integers, which are exact."""
    (x1, y1, z1), (x2, y2, z2), (x3, y3, z3) = ([p - q for p, q in zip(point, a, strict=True)] for point in (b, c, d))
    return x1 * (y2 * z3 - z2 * y3) - y1 * (x2 * z3 - z2 * x3) + z1 * (x2 * y3 - y2 * x3)  # type: ignore[no-any-return]


def is_inside(point: tuple[int, int, int], triangles: list[Any]) -> bool | None:
    """Whether a point lies inside a closed mesh, by the parity of crossings of a line out of it; None: it lies on the surface."""
    for far in ((1, 2**40 + 7, 2**39), (2**40, 3, -(2**38) - 5), (-(2**41), 2**37 + 9, 11), (77, -(2**39), -(2**40) - 3)):
        odd = False
        for a, b, c in triangles:
            here, there = volume(point, a, b, c), volume(far, a, b, c)
            sides = [volume(point, far, *edge) for edge in ((a, b), (b, c), (c, a))]
            if here == 0 and max(sides) * min(sides) >= 0:
                return None
            if 0 in sides or there == 0:
                break  # the line meets an edge: another one is taken
            odd ^= (here > 0) != (there > 0) and len({side > 0 for side in sides}) == 1
        else:
            return odd
    return None


numbers = st.integers(-6, 6) | st.floats(-6, 6, width=32)
points = st.tuples(numbers, numbers, numbers)


@given(st.lists(st.lists(points, min_size=4, max_size=4), min_size=1, max_size=3), st.integers(2, 5))
def test_voxels_of_tetrahedra(bodies: list[Any], size: int) -> None:
    """Flat ones, some that overlap, and corners, edges and faces through centres of voxels and lines of them."""
    vertices = np.array([p for body in bodies for p in body], np.float64)
    faces = np.array([[4 * i + k for k in face] for i in range(len(bodies)) for face in TETRAHEDRON])
    if not np.ptp(vertices, axis=0).any():
        with pytest.raises(ValueError, match="no extent"):
            voxelize.grid_around(vertices, size)
        return
    grid = voxelize.grid_around(vertices, size)
    corners, kept = voxelize.merged(voxelize.rounded(vertices, grid), faces)
    assert voxelize.open_edges(kept) == 0
    found = voxelize.voxels(corners, kept, size)
    triangles = corners[kept].tolist()
    unit = voxelize.units_of(size)
    for place in itertools.product(range(size), repeat=3):
        x, y, z = (unit * i + 1 for i in place)
        wanted = is_inside((x, y, z), triangles)
        assert wanted is None or wanted == found[place], place


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_voxels_of_a_crumpled_cube(seed: int, size: int) -> None:
    """Of any vertices the cube's triangles are closed; they may cut each other."""
    vertices = CUBE + np.random.default_rng(seed).normal(0, 0.4, CUBE.shape)
    grid = voxelize.grid_around(vertices, size)
    corners, kept = voxelize.merged(voxelize.rounded(vertices, grid), CUBE_FACES)
    found, triangles = voxelize.voxels(corners, kept, size), corners[kept].tolist()
    unit = voxelize.units_of(size)
    for place in itertools.product(range(size), repeat=3):
        x, y, z = (unit * i + 1 for i in place)
        assert is_inside((x, y, z), triangles) in (None, found[place]), place


def test_the_grid_lies_around_the_mesh() -> None:
    vertices = CUBE * [4, 2, 1] + [10, 20, 30]
    grid = voxelize.grid_around(vertices, 8)
    assert grid == voxelize.Grid(8, (10.25, 19.25, 28.75), 0.5)
    corners, faces = voxelize.merged(voxelize.rounded(vertices, grid), CUBE_FACES)
    found = voxelize.voxels(corners, faces, 8)
    assert found[:, 2:6, 3:5].all()
    assert found.sum() == 8 * 4 * 2


def test_many_rays_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices = CUBE @ np.array([[1.0, 0.2, 0.1], [-0.3, 1.1, 0.4], [0.2, -0.1, 0.9]])
    grid = voxelize.grid_around(vertices, 20)
    corners, faces = voxelize.merged(voxelize.rounded(vertices, grid), CUBE_FACES)
    whole = voxelize.voxels(corners, faces, 20)
    monkeypatch.setattr(voxelize, "CROSSINGS", 50)
    assert np.array_equal(voxelize.voxels(corners, faces, 20), whole)
    assert abs(whole.sum() * grid.pitch**3 - abs(np.linalg.det(vertices[[4, 2, 1]]))) < 0.05


# --- reading ------------------------------------------------------------------------------------------------------

trimesh: Any = pytest.importorskip("trimesh")
pytest.importorskip("skimage")


@pytest.mark.parametrize("extension", MESHES)
def test_every_type_gives_the_same_voxels(tmp_path: Path, extension: str) -> None:
    ball = trimesh.creation.icosphere(2, 2.0)
    ball.apply_translation([5, 6, 7])
    ball.export(tmp_path / f"ball{extension}")
    signal = mesh.read(tmp_path / f"ball{extension}", 17)
    assert (signal.kind, signal.samples.shape, signal.samples.dtype.kind, signal.bit_depth) == ("array", (17, 17, 17), "b", 1)
    distances = np.indices((17, 17, 17)) - 8
    assert np.abs(np.sqrt((distances**2).sum(0))[signal.samples]).max() < 8.5
    assert 0.9 < signal.samples.sum() * (4 / 17) ** 3 / (4 / 3 * np.pi * 8) < 1
    origin, pitch = mesh.placed(signal.metadata)
    assert pitch == pytest.approx(4 / 17, rel=1e-6)
    assert origin == pytest.approx([3 + 2 / 17, 4 + 2 / 17, 5 + 2 / 17], rel=1e-6)
    again = mesh.read(tmp_path / f"ball{extension}", 17)
    assert again.equals(signal)


@pytest.mark.parametrize("extension", [".obj", ".ply", ".stl", ".off"])
def test_texts_may_be_in_another_encoding(tmp_path: Path, extension: str) -> None:
    plain = saved(tmp_path / "plain.obj")
    wanted = mesh.read(plain, 8).samples
    path = tmp_path / f"latin{extension}"
    kind = "stl_ascii" if extension == ".stl" else extension[1:]
    text = trimesh.load_mesh(plain, process=False).export(file_type=kind)
    content = text if isinstance(text, bytes) else text.encode()
    lines = content.split(b"\n")
    name = {".obj": b"# caf\xe9", ".ply": b"comment caf\xe9", ".off": b"# caf\xe9"}.get(extension)
    if name:
        lines.insert(1, name)
    else:
        lines[0] = b"solid caf\xe9"
    path.write_bytes(b"\n".join(lines))
    assert (mesh.read(path, 8).samples == wanted).all()


def test_polygons_are_cut_into_triangles_and_nothing_else_is_opened(tmp_path: Path) -> None:
    text = "mtllib ../secret.mtl\nusemtl x\n" + "".join(f"v {x} {y} {z}\n" for x, y, z in CUBE)
    text += "".join(
        f"f {' '.join(map(str, q))}\n" for q in ((1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4))
    )
    (tmp_path / "cube.obj").write_text(text)
    assert mesh.read(tmp_path / "cube.obj", 4).samples.all()


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.obj"
    refused(saved(path, faces=CUBE_FACES[:-1]), "not closed, so it has no inside: 3 open edges", fault=UnsupportedError)
    refused(saved(path, faces=CUBE_FACES[:0]), "empty: it has no triangles")
    refused(saved(path, CUBE * [1, 1, np.nan]), "not finite")
    refused(saved(path, np.where(CUBE > 0, np.inf, CUBE)), "not finite")
    refused(saved(path, CUBE * 0), "no extent")
    refused(saved(path, CUBE * [1, 1e-9, 1]), "no centre of 8 × 8 × 8 voxels lies inside")
    refused(saved(path, CUBE, CUBE_FACES + 5), "damaged")
    for content in (b"\0" * 500, b"v 1 2\nf 1 1 1\n", b"f 1 2 3\n", b"\xff\xfe" * 40):
        path.write_bytes(content)
        refused(path, "damaged|empty|not closed|no extent")
    path.write_bytes(b"")
    refused(path, "empty file")
    for extension in (".ply", ".stl", ".off"):
        other = tmp_path / f"x{extension}"
        for content in (
            b"\0" * 500,
            b"ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n",
            b"OFF\n99999999 9999999 0\n1 2 3\n",
        ):
            other.write_bytes(content)
            refused(other, "damaged|empty|not closed|no extent")


def test_limits_come_before_the_work(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.obj")
    refused(path, "declares 512 samples", fault=LimitError, limits=Limits(max_samples=511))
    refused(path, "bytes of memory", fault=LimitError, limits=Limits(max_memory=10_000))
    with pytest.raises(ValueError, match="voxels is 1025"):
        mesh.read(path, 1025)
    with pytest.raises(FileNotFoundError):
        mesh.read(tmp_path / "none.obj", 8)


def test_a_mesh_is_no_file_type(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.obj")
    for call in (lambda: files.read(path), lambda: files.check(path), lambda: files.write(path, Signal(np.ones((2, 2, 2), np.bool_)))):
        with pytest.raises(UnsupportedError, match=r"x\.obj: \.obj is a mesh: encode --voxels"):
            call()


# --- writing ------------------------------------------------------------------------------------------------------


def volumes(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < 0.4


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 5)] * 3), st.sampled_from([0.5, 1.0, 3.0]))
def test_a_surface_is_closed_and_has_its_voxels_inside(
    tmp_path_factory: pytest.TempPathFactory, seed: int, shape: Any, pitch: float
) -> None:
    samples = volumes(seed, shape)
    path = tmp_path_factory.getbasetemp() / "surface.ply"
    signal = Signal(samples, metadata=mesh.placement((7.0, -2.0, 0.5), pitch))
    if not samples.any():
        with pytest.raises(UnsupportedError, match="nothing is inside"):
            mesh.write(path, signal)
        return
    mesh.write(path, signal)
    found = trimesh.load_mesh(path)
    vertices = (np.asarray(found.vertices) - [7.0, -2.0, 0.5]) / pitch
    whole = voxelize.Grid(8, (0.0, 0.0, 0.0), 1.0)
    corners, faces = voxelize.merged(voxelize.rounded(vertices, whole), np.asarray(found.faces, np.int64))
    assert voxelize.open_edges(faces) == 0
    assert found.volume > 0  # outside is outside
    back = voxelize.voxels(corners, faces, 8)[: shape[0], : shape[1], : shape[2]]
    assert np.array_equal(back, samples)


@pytest.mark.parametrize(
    ("samples", "depth", "told"),
    [
        (np.ones((4, 5), np.bool_), 0, "this has 2 axes of 1 bit"),
        (np.ones((4, 5, 6), np.uint8), 0, "this has 3 axes of 8 bits"),
        (np.ones(4, np.uint8), 1, "this has 1 axis of 1 bit"),
    ],
)
def test_what_has_no_surface(tmp_path: Path, samples: np.ndarray, depth: int, told: str) -> None:
    with pytest.raises(UnsupportedError, match=told):
        mesh.write(tmp_path / "x.ply", Signal(samples, bit_depth=depth))


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"mesh/pitch": b"0.5"},
        {"mesh/origin": b"1 2", "mesh/pitch": b"1"},
        {"mesh/origin": b"1 2 3", "mesh/pitch": b"0.0"},
        {"mesh/origin": b"1 2 3", "mesh/pitch": b"-1.0"},
        {"mesh/origin": b"1 2 nan", "mesh/pitch": b"1"},
        {"mesh/origin": b"1 2 1e999", "mesh/pitch": b"1"},
        {"mesh/origin": b"1  3", "mesh/pitch": b"1"},
        {"mesh/origin": b"1 2 3" * 100000, "mesh/pitch": b"1"},
        {"mesh/origin": b"1 2 \xff", "mesh/pitch": b"1"},
    ],
)
def test_a_place_that_makes_no_sense(metadata: dict[str, bytes]) -> None:
    origin, pitch = mesh.placed(metadata)
    assert origin.tolist() == [0, 0, 0]
    assert pitch == 1


@given(st.tuples(*[st.floats(-1e30, 1e30)] * 3), st.floats(1e-30, 1e30))
def test_places_come_back(origin: Any, pitch: float) -> None:
    found = mesh.placed(mesh.placement(origin, pitch))
    assert (tuple(found[0].tolist()), found[1]) == (origin, pitch)


# --- the command line ---------------------------------------------------------------------------------------------


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_mesh_by_command(tmp_path: Path) -> None:
    trimesh.creation.icosphere(2, 3.0).apply_translation([1, 2, 3]).export(tmp_path / "ball.ply")
    result = run("encode", tmp_path / "ball.ply", "--voxels", 20, "-o", tmp_path / "x.linr", "--effort", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    signal = inrcodec.decode((tmp_path / "x.linr").read_bytes())
    assert signal.equals(mesh.read(tmp_path / "ball.ply", 20))
    for name in ("back.stl", "back.obj", "back.off", "back.ply"):
        result = run("decode", tmp_path / "x.linr", "-o", tmp_path / name)
        assert (result.exit_code, result.output) == (0, "")
        found = trimesh.load_mesh(tmp_path / name)
        assert found.is_watertight
        assert np.abs(found.bounds - [[-2, -1, 0], [4, 5, 6]]).max() < 0.01
    for arguments in (("render", tmp_path / "x.linr", "-o", tmp_path / "r.ply"),):
        assert run(*arguments).exit_code == 0
        assert trimesh.load_mesh(tmp_path / "r.ply").is_watertight
    result = run("render", tmp_path / "x.linr", "-o", tmp_path / "s.ply", "--scale", 2)
    assert result.exit_code == 1
    assert (
        result.stderr
        == f"inrcodec: {tmp_path / 'x.linr'}: it has no network that could be asked at other places; only files of profile inr have one\n"
    )
    assert not (tmp_path / "s.ply").exists()


def test_faults_by_command(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.obj", faces=CUBE_FACES[1:])
    result = run("encode", path, "--voxels", 8)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "3 open edges" in result.stderr
    result = run("encode", path)
    assert result.exit_code == 2
    assert "say by --voxels how many" in result.stderr
    np.save(tmp_path / "x.npy", np.ones((4, 4, 4), np.uint8) * np.arange(4, dtype=np.uint8))
    result = run("encode", tmp_path / "x.npy", "--voxels", 8)
    assert result.exit_code == 2
    assert "--voxels is for a mesh" in result.stderr
    assert run("encode", tmp_path / "x.npy", "-o", tmp_path / "x.linr", "--profile", "stored").exit_code == 0
    for command in ("decode", "render"):
        result = run(command, tmp_path / "x.linr", "-o", tmp_path / "y.ply")
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert "a mesh is written of volumes of one bit and three axes" in result.stderr
        assert not (tmp_path / "y.ply").exists()


HIDDEN = """
import sys, importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ("trimesh", "skimage") else find(name, package)
from inrcodec.cli import main
main(sys.argv[1:])
"""


def test_without_the_extra_one_line_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.obj")
    for arguments in (("encode", path, "--voxels", "8"), ("decode", tmp_path / "x.linr", "-o", tmp_path / "y.ply")):
        command = [sys.executable, "-c", HIDDEN, *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert result.stderr.endswith("a mesh needs trimesh and scikit-image; install with: pip install trimesh scikit-image\n")
        assert len(result.stderr.splitlines()) == 1
