"""`.linr` in imageio: read and written by imageio's ordinary calls."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from inrcodec import storage

iio: Any = pytest.importorskip("imageio.v3")

from inrcodec.imageio import LinrPlugin  # noqa: E402

TYPES = ["?", "u1", "<u2", ">u2", "<i2", "<i4", "<f2", "<f4", "<f8"]
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
STACK = np.random.default_rng(1).integers(0, 4096, (5, 24, 32), np.uint16)
QUICK: dict[str, Any] = {"profile": "stored"}


def same(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> bool:
    return (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    iio.imwrite(tmp_path / "a.linr", PICTURE, **QUICK)
    return tmp_path / "a.linr"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "s.linr"
    with inrcodec.open(path, "w", shape=STACK.shape, dtype=STACK.dtype, chunks=(2, 8, 8), kind="stack", bit_depth=12, profile="stored",
                       metadata={"icc": b"all", "page/3/+icc": b"third"}) as file:  # fmt: skip
        file.write(STACK)
    return path


@settings(max_examples=30)
@given(st.sampled_from(TYPES).flatmap(lambda d: hnp.arrays(np.dtype(d), hnp.array_shapes(min_dims=2, max_dims=4, max_side=6))))
def test_samples_come_back(samples: npt.NDArray[Any]) -> None:
    data = iio.imwrite("<bytes>", samples, extension=".linr", **QUICK)
    assert isinstance(data, bytes)
    assert same(iio.imread(data, extension=".linr"), samples)
    assert iio.improps(data, extension=".linr").shape == samples.shape


def test_every_kind_of_resource(tmp_path: Path, picture: Path) -> None:
    data = picture.read_bytes()
    assert data == iio.imwrite("<bytes>", PICTURE, plugin="inrcodec", **QUICK)
    written = io.BytesIO()
    iio.imwrite(written, PICTURE, extension=".linr", **QUICK)
    assert written.getvalue() == data
    iio.imwrite(tmp_path / "a.zip" / "b.linr", PICTURE, **QUICK)
    sources: list[Any] = [picture, str(picture), picture.as_uri(), data, memoryview(data), io.BytesIO(data), tmp_path / "a.zip" / "b.linr"]
    for source in sources:
        assert same(iio.imread(source, plugin="inrcodec"), PICTURE)
    for source in sources[:3]:
        assert same(iio.imread(source), PICTURE)
    picture.rename(tmp_path / "b.png")
    assert same(iio.imread(tmp_path / "b.png", plugin="inrcodec"), PICTURE)


def test_bytes_are_recognized(picture: Path) -> None:
    """Without an extension imageio asks all plugins, some of which warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert same(iio.imread(picture.read_bytes()), PICTURE)
        with io.BytesIO(picture.read_bytes()) as file:
            assert same(iio.imread(file), PICTURE)
            assert not file.closed


@pytest.mark.parametrize("order", ["inrcodec.pillow, inrcodec.imageio", "inrcodec.imageio, inrcodec.pillow"])
def test_content_is_read_by_this_plugin_and_not_by_that_of_pillow(order: str, stack: Path, tmp_path: Path) -> None:
    """Whichever is imported first. Other files are left to their own plugins, and warnings are errors."""
    (tmp_path / "noname").write_bytes(stack.read_bytes())
    code = (
        f"import sys, io, pathlib, {order}, numpy as np, imageio.v3 as iio\n"
        "path, noname = map(pathlib.Path, sys.argv[1:])\n"
        "data = path.read_bytes()\n"
        "for source in (data, io.BytesIO(data), path.open('rb'), noname):\n"
        "    def asked(call, **given):\n"
        "        if hasattr(source, 'seek'): source.seek(0)\n"
        "        return call(source, **given)\n"
        "    assert asked(iio.imread).shape == (5, 24, 32)\n"
        "    assert asked(iio.imread, region=(3, 4, 5, 6)).shape == (5, 6, 5)\n"
        "    assert asked(iio.improps).n_images == 5\n"
        "    assert asked(iio.immeta)['bit_depth'] == 12\n"
        "    if hasattr(source, 'seek'): assert not source.closed; source.close()\n"
        "picture = np.arange(30, dtype=np.uint8).reshape(5, 6)\n"
        "png = iio.imwrite('<bytes>', picture, extension='.png')\n"
        "assert (iio.imread(png) == picture).all() and (iio.imread(io.BytesIO(png)) == picture).all()\n"
        "noname.write_bytes(png)\n"
        "assert (iio.imread(noname) == picture).all()\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(stack), str(tmp_path / "noname")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_what_has_no_extension_is_written_by_others() -> None:
    with pytest.warns(UserWarning, match="file format"):
        assert iio.imwrite("<bytes>", PICTURE, format="png").startswith(b"\x89PNG")


def test_a_picture(picture: Path) -> None:
    assert same(iio.imread(picture, index=0), PICTURE)
    assert same(iio.imread(picture, index=...), PICTURE[None])
    assert [same(page, PICTURE) for page in iio.imiter(picture)] == [True]
    found, whole = iio.improps(picture), iio.improps(picture, index=...)
    assert (found.shape, found.dtype, found.is_batch, found.n_images) == ((40, 50, 3), np.dtype(np.uint8), False, None)
    assert (whole.shape, whole.dtype, whole.is_batch, whole.n_images) == ((1, 40, 50, 3), np.dtype(np.uint8), True, 1)
    assert iio.immeta(picture) == {"bit_depth": 8}
    assert same(iio.imread(picture, region=(3, 4, 5, 6)), PICTURE[4:10, 3:8])
    for index in (1, -1, 1.5, True):
        for call in (iio.imread, iio.improps, iio.immeta):
            with pytest.raises(ValueError, match="the file has 1 picture, counted from 0"):
                call(picture, index=index)


def test_a_stack(stack: Path) -> None:
    assert same(iio.imread(stack), STACK)
    assert same(iio.imread(stack, index=...), STACK)
    assert same(iio.imread(stack, index=3), STACK[3])
    assert same(np.stack(list(iio.imiter(stack))), STACK)
    assert same(iio.imread(stack, region=(3, 4, 5, 6)), STACK[:, 4:10, 3:8])
    found, page = iio.improps(stack), iio.improps(stack, index=2)
    assert (found.shape, found.is_batch, found.n_images) == (STACK.shape, True, 5)
    assert (page.shape, page.dtype, page.is_batch) == ((24, 32), np.dtype(np.uint16), False)
    assert iio.immeta(stack) == {"icc": b"all", "page/3/+icc": b"third", "bit_depth": 12}
    assert iio.immeta(stack, index=2) == {"icc": b"third", "bit_depth": 12}
    with pytest.raises(ValueError, match="the file has 5 pictures, counted from 0"):
        iio.imread(stack, index=5)


def test_only_the_bricks_that_are_needed_are_decoded(stack: Path) -> None:
    with iio.imopen(stack, "r") as file:
        assert isinstance(file, LinrPlugin)
        assert file._reader is not None
        file.properties()
        file.metadata()
        assert file._reader.decoded == 0
        file.read(index=4, region=(7, 0, 2, 8))
        assert file._reader.decoded == 2
        assert same(np.stack(list(file.iter(region=(8, 8, 8, 8)))), STACK[:, 8:16, 8:16])
        assert file._reader.decoded == 2 + 3


@pytest.mark.parametrize("region", [(0, 0, 33, 5), (-1, 0, 5, 5), (0, 0, 0, 5)])
def test_regions_outside(region: tuple[int, int, int, int], stack: Path) -> None:
    with pytest.raises(ValueError, match="32 pixels wide and 24 high"):
        iio.imread(stack, region=region)


def test_metadata_come_back(stack: Path, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "b.linr", iio.imread(stack), metadata=iio.immeta(stack), **QUICK)
    assert iio.immeta(tmp_path / "b.linr") == iio.immeta(stack)
    iio.imwrite(tmp_path / "b.linr", STACK[0], metadata={"xmp": b"x"}, bit_depth=13, **QUICK)
    assert iio.immeta(tmp_path / "b.linr") == {"xmp": b"x", "bit_depth": 13}


def test_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    for given_, options, kind, shape in (
        (PICTURE, {}, "image", (40, 50, 3)),
        (PICTURE, {"is_batch": True}, "stack", (40, 50, 3)),
        ([PICTURE], {}, "stack", (1, 40, 50, 3)),
        (list(STACK), {}, "stack", STACK.shape),
        (np.zeros((9, 8, 12), np.uint8), {"is_batch": False}, "image", (9, 8, 12)),
    ):
        iio.imwrite(path, given_, **QUICK | options)
        found = inrcodec.decode(path.read_bytes())
        assert (found.kind, found.samples.shape) == (kind, shape)
    with iio.imopen(path, "w", plugin="inrcodec") as file:
        for page in STACK:
            file.write(page, **QUICK)
    assert same(iio.imread(path), STACK)


def test_version_2() -> None:
    v2: Any = pytest.importorskip("imageio.v2")
    data = v2.imwrite("<bytes>", PICTURE, format="inrcodec")
    assert same(np.asarray(v2.imread(data, format="inrcodec")), PICTURE)


def test_a_program_of_its_own(tmp_path: Path) -> None:
    code = (
        "import sys, imageio.v3 as iio, numpy as np, inrcodec.imageio\n"
        "iio.imwrite(sys.argv[1], np.full((8, 9, 3), 7, np.uint8), effort=1)\n"
        "print(iio.imread(sys.argv[1]).sum(), 'torch' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.linr")], capture_output=True, text=True, check=True)
    assert found.stdout == f"{7 * 8 * 9 * 3} False\n"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["audio", "array"])
def test_what_is_no_picture(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes(inrcodec.encode(np.zeros((100, 2), np.int16), kind=kind, sample_rate=8000 if kind == "audio" else None))
    with pytest.raises(OSError, match=rf"a\.linr: it holds an {kind}, not a picture"):
        iio.imread(path)


@pytest.mark.parametrize("compact", [True, False])
def test_damage_is_an_os_error(compact: bool, tmp_path: Path) -> None:
    data = inrcodec.encode(PICTURE[:6, :7], compact=compact, metadata={"icc": b"x"}, kind="image", profile="stored")
    path = tmp_path / "a.linr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for at in range(len(data)):
            for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]):
                path.write_bytes(damaged)
                with pytest.raises(OSError):  # noqa: PT011
                    iio.imread(path, **({"plugin": "inrcodec"} if at < 12 else {}))


@pytest.mark.parametrize("given_", [{}, {"plugin": "inrcodec"}])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:0], "it is empty"),
        (lambda data: data[:1], "truncated"),
        (lambda data: data[:2], "truncated"),
        (lambda data: data[:9], "truncated"),
        (lambda data: data[:-9], "truncated"),
        (lambda data: data.replace(b"\r\n", b"\n", 1), "transfer it in binary mode"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "damaged"),
        (lambda data: inrcodec.encode(np.zeros((100, 2), np.int16), kind="array"), "holds an array, not a picture"),
    ],
)
def test_faults_are_told_with_the_name_of_the_file(change: Any, message: str, given_: dict[str, str], stack: Path) -> None:
    stack.write_bytes(change(stack.read_bytes()))
    for call in (iio.imread, iio.improps, iio.immeta, lambda *a, **k: list(iio.imiter(*a, **k))):
        with pytest.raises(OSError, match=rf"s\.linr: .*{message}"):
            call(stack, **given_)


def test_what_is_not_taken_is_told() -> None:
    with pytest.raises(OSError, match="can not handle") as caught:
        iio.imread(b"", plugin="inrcodec")
    assert "it is empty" in str(caught.value.__cause__)
    with pytest.raises(OSError, match="it is empty"):
        iio.imread(b"", extension=".linr")


def test_damage_of_a_brick_is_named(stack: Path) -> None:
    data = bytearray(stack.read_bytes())
    data[data.index(b"TILE") + 8] ^= 1
    stack.write_bytes(data)
    with pytest.raises(OSError, match=r"s\.linr: brick 0 \[0:2, 0:8, 0:8\]: damaged"):
        iio.imread(stack, index=1)
    assert same(iio.imread(stack, index=4), STACK[4])


def test_nothing_is_lost_by_a_write_that_fails(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture.read_bytes()
    with pytest.raises(TypeError, match=r"^quality: there is no such option of \.linr files; there are .*bit_depth, .*effort"):
        iio.imwrite(picture, PICTURE, quality=3)
    with pytest.raises(ValueError, match="payload=False makes a file without samples, which imageio cannot read"):
        iio.imwrite(picture, PICTURE, payload=False)
    nothings: list[Any] = [[], np.zeros((0, 9, 9, 3), np.uint8), 5, [5]]
    for nothing in nothings:
        with pytest.raises(OSError, match=r"a\.linr: there is nothing to encode"):
            iio.imwrite(picture, nothing)
    with pytest.raises(OSError, match="one shape and type"):
        iio.imwrite(picture, [PICTURE, PICTURE[1:]])
    with pytest.raises(OSError, match="not supported"):
        iio.imwrite(picture, np.array([["a"]]))
    with pytest.raises(OSError, match="not fit in 3 bits"):
        iio.imwrite("<bytes>", PICTURE, extension=".linr", bit_depth=3)
    with suppress(ZeroDivisionError), iio.imopen(picture, "w", plugin="inrcodec") as file:
        file.write(PICTURE)
        raise ZeroDivisionError

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_to_disk", full)
    with pytest.raises(OSError, match=r"a\.linr: cannot be written: no space left"):
        iio.imwrite(picture, PICTURE, **QUICK)
    assert picture.read_bytes() == data
    assert [path.name for path in picture.parent.iterdir()] == ["a.linr"]


def test_other_names_are_left_to_others(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="can not handle"):
        iio.imwrite(tmp_path / "a.bin", PICTURE, plugin="inrcodec")
    iio.imwrite(tmp_path / "a.png", PICTURE)
    assert same(iio.imread(tmp_path / "a.png"), PICTURE)
    with pytest.raises(OSError, match="can not handle"):
        iio.imread(tmp_path / "a.png", plugin="inrcodec")
    (tmp_path / "a.png").rename(tmp_path / "a.linr")
    assert same(iio.imread(tmp_path / "a.linr"), PICTURE)
    with iio.imopen(tmp_path / "b.linr", "w") as file, pytest.raises(OSError, match="open for writing"):
        file.read()


def test_imageio_that_is_missing_is_named() -> None:
    code = "import sys; sys.modules['imageio'] = None; import inrcodec.imageio"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr.endswith("MissingError: inrcodec.imageio needs imageio; install with: pip install imageio\n")
