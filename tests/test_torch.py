"""inrcodec.torch: what the tensors are, in this process and in the workers of a DataLoader."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import inrcodec
from inrcodec import FormatError, InrcodecError, LimitError, LossyError, Signal, StreamReader, UnsupportedError

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, RandomSampler  # noqa: E402

from inrcodec.torch import LinrDataset  # noqa: E402

Samples = npt.NDArray[Any]


def put(path: Path, samples: Samples, kind: Any, **more: Any) -> Path:
    """A .linr file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = 8000 if kind == "audio" else None
    path.write_bytes(inrcodec.encode(samples, kind=kind, sample_rate=rate, **{"profile": "stored", **more}))
    return path


def picture(seed: int, height: int = 24, width: int = 40, channels: int = 3) -> Samples:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Six pictures of two classes, one of them deeper down; and what is no .linr file."""
    for i in range(3):
        put(tmp_path / "cats" / f"{i}.linr", picture(i), "image")
    for i in range(3, 5):
        put(tmp_path / "dogs" / f"{i}.linr", picture(i), "image")
    put(tmp_path / "dogs" / "more" / "5.LINR", picture(5), "image")
    (tmp_path / "notes.txt").write_text("none", "utf-8")
    (tmp_path / "empty").mkdir()
    return tmp_path


# --- tensors ----------------------------------------------------------------------------------------------------------

CASES: tuple[tuple[str, Samples, Callable[[Samples], Samples]], ...] = (
    ("image", picture(0), lambda x: x.transpose(2, 0, 1)),
    ("image", picture(0)[..., 0], lambda x: x[None]),
    ("image", picture(0, channels=1), lambda x: x.transpose(2, 0, 1)),
    ("image", picture(0).astype(np.uint16) << 7, lambda x: x.transpose(2, 0, 1)),
    ("image", picture(0).astype(">u2"), lambda x: x.transpose(2, 0, 1)),
    ("image", picture(0, channels=1)[..., 0] > 99, lambda x: x[None]),
    ("stack", np.stack([picture(0), picture(1)]), lambda x: x.transpose(0, 3, 1, 2)),
    ("stack", picture(0), lambda x: x[:, None]),
    ("audio", picture(0)[0].astype(np.int16), lambda x: x.T),
    ("audio", picture(0)[0, :, 0].astype(np.float32), lambda x: x[None]),
    ("array", picture(0).astype(np.int64), lambda x: x),
    ("array", picture(0).astype(">f8"), lambda x: x),
    ("array", picture(0)[0, 0].astype(np.complex64), lambda x: x),
)


@pytest.mark.parametrize(("kind", "samples", "arranged"), CASES, ids=lambda x: x if isinstance(x, str) else "")
@pytest.mark.parametrize("cropped", [False, True])
def test_tensors_have_the_samples(
    tmp_path: Path, kind: str, samples: Samples, arranged: Callable[[Samples], Samples], cropped: bool
) -> None:
    """Whole, and as a crop of the full size."""
    path = put(tmp_path / "a.linr", samples, kind)
    axes = {"image": (0, 1), "stack": (1, 2), "audio": (0,)}.get(kind, tuple(range(samples.ndim)))
    found = LinrDataset([path], crop=[samples.shape[axis] for axis in axes] if cropped else None)[0]
    assert found.is_contiguous()
    assert found.numpy().dtype == samples.dtype.newbyteorder("=")
    assert np.array_equal(found.numpy(), arranged(samples))
    found.fill_(1)  # it is the caller's own


def test_bfloat16_stays(tmp_path: Path) -> None:
    samples = torch.randn(5, 6).to(torch.bfloat16)
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(Signal(samples.view(torch.uint16).numpy(), bfloat16=True)))
    for crop in (None, (5, 6)):
        found = LinrDataset(tmp_path, crop=crop)[0]
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, samples)


def test_types_that_torch_lacks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch 2.2 does of uint16."""

    def lacks(samples: Samples) -> None:
        raise TypeError(f"can't convert np.ndarray of type {samples.dtype}")

    path = put(tmp_path / "a.linr", picture(0).astype(np.uint16), "image")
    monkeypatch.setattr(torch, "from_numpy", lacks)
    with pytest.raises(UnsupportedError, match=f"{re.escape(str(path))}: this version of torch has no type uint16"):
        LinrDataset(tmp_path)[0]


# --- which files, and their labels ------------------------------------------------------------------------------------


def test_files_are_found_in_order(pets: Path) -> None:
    data = LinrDataset(pets)
    names = ["cats/0.linr", "cats/1.linr", "cats/2.linr", "dogs/3.linr", "dogs/4.linr", "dogs/more/5.LINR"]
    assert [path.relative_to(pets).as_posix() for path in data.paths] == names
    assert len(data) == 6
    assert all(np.array_equal(data[i].numpy(), picture(i).transpose(2, 0, 1)) for i in range(-6, 6) if i >= 0)
    assert torch.equal(data[-1], data[5])
    with pytest.raises(IndexError):
        data[6]
    some = LinrDataset([str(pets / names[4]), pets / names[1]])
    assert [path.name for path in some.paths] == ["4.linr", "1.linr"]


@pytest.mark.skipif(not hasattr(os, "symlink") or sys.platform == "win32", reason="needs links")
def test_links_are_followed_but_not_for_ever(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("links")
    (top / "pets").symlink_to(pets)
    (pets / "dogs" / "again").symlink_to(top)
    assert len(LinrDataset(top)) == 6


def test_labels_are_those_of_folders(pets: Path) -> None:
    data = LinrDataset(pets, labels=True)
    assert (data.classes, data.class_to_idx, data.targets) == (["cats", "dogs"], {"cats": 0, "dogs": 1}, [0, 0, 0, 1, 1, 1])
    tensor, target = data[4]
    assert (tensor.shape, target) == ((3, 24, 40), 1)
    listed = LinrDataset([pets / "dogs" / "3.linr", pets / "cats" / "0.linr"], labels=True)
    assert [listed[i][1] for i in (0, 1)] == [1, 0]
    made = LinrDataset(pets, labels=True, transform=lambda x: x.float().mean(), target_transform=lambda i: f"class {i}")
    assert made[3][0].shape == ()
    assert made[3][1] == "class 1"
    put(pets / "loose.linr", picture(0), "image")
    with pytest.raises(InrcodecError, match=r"loose\.linr: has no label"):
        LinrDataset(pets, labels=True)


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InrcodecError, match=rf"{re.escape(str(tmp_path))}: holds no \.linr files"):
        LinrDataset(tmp_path)
    with pytest.raises(InrcodecError, match=r"there are no \.linr files"):
        LinrDataset([])
    with pytest.raises(FileNotFoundError):
        LinrDataset(tmp_path / "none")
    (tmp_path / "a.txt").write_text("", "utf-8")
    with pytest.raises(NotADirectoryError):
        LinrDataset(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("given", "kind", "match"),
    [
        ({"kind": "video"}, ValueError, "kind is 'video'; it can be 'image', 'audio', 'array', 'stack'"),
        ({"crop": 0}, ValueError, "crop is 0"),
        ({"crop": ()}, ValueError, r"crop is \(\)"),
        ({"crop": (5, 2.5)}, ValueError, r"crop is \(5, 2.5\)"),
        ({"crop": True}, ValueError, "crop is True"),
        ({"threads": -1}, ValueError, "threads is -1"),
        ({"effort": 3}, TypeError, "effort: there is no such option; threads, max_samples and max_memory there are"),
    ],
)
def test_wrong_arguments_are_told(pets: Path, given: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        LinrDataset(pets, **given)


# --- crops ------------------------------------------------------------------------------------------------------------


def place_of(part: Samples, whole: Samples) -> tuple[int, ...]:
    """Where the part begins in a whole whose samples all differ."""
    return tuple(int(i[0]) for i in np.nonzero(whole == part.flat[0]))


@pytest.mark.parametrize("crop", [(5, 8), 6])
def test_crops_are_parts_at_random_places(tmp_path: Path, crop: Any) -> None:
    whole = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    data = LinrDataset([put(tmp_path / "a.linr", whole, "image")], crop=crop)
    height, width = crop if isinstance(crop, tuple) else (crop, crop)
    places = set()
    torch.manual_seed(1)
    for _ in range(200):
        part = data[0].numpy()[0]
        top, left = place_of(part, whole)
        assert np.array_equal(part, whole[top : top + height, left : left + width])
        places.add((top, left))
    rows, columns = ({place[i] for place in places} for i in (0, 1))
    assert min(rows) == min(columns) == 0
    assert (max(rows), max(columns)) == (40 - height, 50 - width)
    torch.manual_seed(1)
    assert place_of(data[0].numpy()[0], whole) in places


def test_crops_of_each_kind(tmp_path: Path) -> None:
    whole = np.arange(3 * 20 * 30, dtype=np.int16).reshape(3, 20, 30)
    cases: tuple[tuple[str, Samples, Any, tuple[int, ...]], ...] = (
        ("audio", whole[0, :, :2], 7, (2, 7)),
        ("stack", whole, (6, 9), (3, 1, 6, 9)),
        ("array", whole, (2, 6, 9), (2, 6, 9)),
        ("array", whole, 3, (3, 3, 3)),
    )
    for kind, samples, crop, shape in cases:
        path = put(tmp_path / "a.linr", samples, kind)
        found = LinrDataset([path], crop=crop)[0].numpy()
        assert found.shape == shape
        spread = found.T if kind == "audio" else found.reshape(3, 6, 9) if kind == "stack" else found
        first = place_of(spread, samples)
        assert np.array_equal(spread, samples[tuple(slice(a, a + n) for a, n in zip(first, spread.shape, strict=True))])


def test_a_crop_decodes_only_its_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(64, 64), dtype=np.uint8, chunks=(16, 16), kind="image", profile="stored") as file:
        file.write(picture(0, 64, 64, 1)[..., 0])
    decoded: list[int] = []
    close = StreamReader.close

    def noted(self: StreamReader) -> None:
        decoded.append(self.decoded)
        close(self)

    monkeypatch.setattr(StreamReader, "close", noted)
    data = LinrDataset(tmp_path, crop=16)
    for _ in range(30):
        assert data[0].shape == (1, 16, 16)
    assert max(decoded) <= 4
    assert min(decoded) >= 1


@pytest.mark.parametrize(
    ("kind", "crop", "match"),
    [
        ("image", (25, 8), r"is smaller than the crop \(25, 8\): its shape is \(24, 40, 3\)"),
        ("image", (2, 2, 2), r"a crop of 3 sizes does not fit an image of shape \(24, 40, 3\)"),
        ("stack", 41, "is smaller than the crop"),
        ("array", (4, 4), "a crop of 2 sizes does not fit an array"),
    ],
)
def test_crops_that_do_not_fit_are_told(tmp_path: Path, kind: str, crop: Any, match: str) -> None:
    path = put(tmp_path / "a.linr", picture(0), kind)
    with pytest.raises(UnsupportedError, match=f"{re.escape(str(path))}: {match}"):
        LinrDataset(tmp_path, crop=crop)[0]


# --- workers ----------------------------------------------------------------------------------------------------------


def mean(tensor: Any) -> Any:
    """A transform that can be sent to a worker."""
    return tensor.float().mean((1, 2))


def test_a_dataset_can_be_sent(pets: Path) -> None:
    data = pickle.loads(pickle.dumps(LinrDataset(pets, labels=True, transform=mean, crop=8, max_samples=10000)))
    assert (len(data), data.classes, data.crop, data[5][1]) == (6, ["cats", "dogs"], (8,), 1)


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_decode(pets: Path, context: str) -> None:
    if context not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"needs {context}")
    put(pets / "dogs" / "9.linr", picture(9), "image", profile="hybrid", effort=1)
    data = LinrDataset(pets, labels=True)
    data[-1]  # in this process, before it forks
    loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context=context)
    tensors, targets = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert targets.tolist() == data.targets
    assert np.array_equal(tensors.numpy(), np.stack([data[i][0].numpy() for i in range(len(data))]))


def test_workers_crop_at_different_places(tmp_path: Path) -> None:
    whole = np.arange(200 * 200, dtype=np.int32).reshape(200, 200)
    data = LinrDataset([put(tmp_path / "a.linr", whole, "array")], crop=2)

    def places(seed: int) -> list[int]:
        torch.manual_seed(seed)
        loader = DataLoader(data, batch_size=1, num_workers=2, sampler=RandomSampler(data, replacement=True, num_samples=8))
        return [int(part.min()) for part in loader]

    first = places(0)
    assert len(set(first)) == 8  # of 39,601 places
    assert places(0) == first
    assert places(1) != first


# --- faults -----------------------------------------------------------------------------------------------------------


def faulty(folder: Path) -> tuple[tuple[Path, type[InrcodecError]], ...]:
    """Files that cannot be decoded to a picture, and what that raises."""
    whole = put(folder / "whole", picture(0), "image")
    damaged, empty, foreign, arrays, sound, lossy = (folder / f"{name}.linr" for name in ("damaged", "empty", "png", "npz", "wav", "lossy"))
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    empty.write_bytes(b"")
    foreign.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    arrays.write_bytes(inrcodec.encode_arrays({"a": picture(0)}, profile="stored"))
    put(sound, picture(0)[0].astype(np.int16), "audio")
    vectors = Path(__file__).parent.parent / "formats" / "vectors" / "lossy"
    lossy.write_bytes(next(data for data in map(Path.read_bytes, sorted(vectors.glob("*.linr"))) if inrcodec.info(data)["kind"] == "image"))
    formats = [(path, FormatError) for path in (damaged, empty, foreign, arrays)]
    return (*formats, (sound, UnsupportedError), (lossy, LossyError))


@pytest.mark.parametrize("crop", [None, 2])
def test_faults_name_the_file(tmp_path: Path, crop: int | None) -> None:
    for path, kind in faulty(tmp_path):
        with pytest.raises(kind) as fault:
            LinrDataset([path], kind="image", crop=crop)[0]
        assert re.fullmatch(f"{re.escape(str(path))}: .+", str(fault.value))
    data = LinrDataset([tmp_path / "whole"], max_samples=100)
    with pytest.raises(LimitError, match="whole: "):
        data[0]
    (tmp_path / "whole").unlink()
    with pytest.raises(FileNotFoundError):
        data[0]


def test_faults_of_workers_keep_their_type(tmp_path: Path) -> None:
    cases = faulty(tmp_path)
    batches = iter(DataLoader(LinrDataset([path for path, _ in cases], kind="image"), batch_size=None, num_workers=2))
    for path, kind in cases:
        with pytest.raises(kind, match=re.escape(f"{path}: ")):
            next(batches)
    with pytest.raises(StopIteration):
        next(batches)


def test_without_torch_a_line_says_what_to_install() -> None:
    program = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'torch' else find(name, package)\n"
        "import inrcodec\n"
        "try: import inrcodec.torch\n"
        "except inrcodec.MissingError as fault: print(fault)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert found.stdout == "inrcodec.torch needs torch; install with: pip install torch\n"


def test_decoding_imports_no_torch(pets: Path) -> None:
    program = (
        "import sys, inrcodec; inrcodec.decode(open(sys.argv[1], 'rb').read())\n"
        "inrcodec.open(sys.argv[1])[0]; import inrcodec.sound; print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(pets / "cats" / "0.linr")]
    assert subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout == "False\n"
