"""`LinrDataset`: `.linr` files as tensors for training with PyTorch, decoded in the workers of a DataLoader.

The one module outside of the fitting code that imports torch; nothing else of the package imports this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InrcodecError, UnsupportedError
from .files.optional import require
from .options import Options
from .signal import KINDS, Kind, named
from .stream import StreamReader

require("inrcodec.torch", {"torch": "torch"})

import torch  # noqa: E402  # its absence is told first
from torch.utils.data import Dataset  # noqa: E402

__all__ = ["LinrDataset"]

SUFFIX = ".linr"
CROPPED: dict[Kind, tuple[int, ...]] = {"image": (0, 1), "stack": (1, 2), "audio": (0,)}  # axes; of an array: all

Samples = npt.NDArray[Any]


class LinrDataset(Dataset[Any]):
    """The .linr files in a folder and those below it, or in a list, as tensors.

    An element is decoded when it is asked for, so by the worker process if a DataLoader has such. Its type is that of the file:
    uint8, uint16 (torch.uint16), int16, float32, bfloat16, … Its shape:

    - picture: (channels, height, width), as torchvision has it; stack: (pages, channels, height, width)
    - sound: (channels, frames), as torchaudio has it
    - array: as it is

    Attributes:
        paths: of the files.
        classes: with labels: the names of the classes, sorted. class_to_idx: their numbers by name. targets: the class of each file.
        crop, kind, transform, target_transform: as they were given.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        kind: Kind | None = None,
        crop: int | Sequence[int] | None = None,
        labels: bool = False,
        transform: Callable[[torch.Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        **options: Any,
    ) -> None:
        """Find the files. None is opened yet.

        Args:
            root: a folder, whose .linr files are taken in the order of their names; or the files themselves.
            kind: what all files must be: "image", "stack", "audio" or "array"; None: anything.
            crop: size of the part at a random place that an element is: (height, width) of a picture or stack, frames of a sound, all
                sizes of an array; one number stands for all. Only the tiles that hold the part are decoded, so files with small tiles are
                faster (option `tile` of `encode`, or `inrcodec.open`). None: all of it.
            labels: whether elements are (tensor, class). The class is the folder in `root` that holds the file, as in torchvision's
                ImageFolder; of a list of files, the folder that the file is in.
            transform: makes the element of the tensor. target_transform: makes the label of the number of the class.
            options: threads (1 by default, since there is a worker for each core), max_samples, max_memory: see `inrcodec.decode`.

        Raises:
            OSError: the folder is not there, or cannot be read.
            InrcodecError: there are no .linr files, or one has no class.
            ValueError: crop, kind or an option has a value that it cannot have. TypeError: there is no such option.
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; it can be {', '.join(map(repr, KINDS))}")
        self.kind, self.crop = kind, _sizes(crop)
        self.transform, self.target_transform = transform, target_transform
        self._options = _options(**options)
        top = Path(root) if isinstance(root, str | os.PathLike) else None
        self.paths = [Path(path) for path in root] if top is None else _found(top)  # type: ignore[union-attr]
        if not self.paths:
            raise InrcodecError(f"{top}: holds no {SUFFIX} files" if top else f"there are no {SUFFIX} files")
        self.classes: list[str] = []
        self.class_to_idx: dict[str, int] = {}
        self.targets: list[int] = []
        if labels:
            names = [_class_of(path, top) for path in self.paths]
            self.classes = sorted(set(names))
            self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
            self.targets = [self.class_to_idx[name] for name in names]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        """An element: a tensor, or with labels (tensor, class); both as the transforms make them.

        Without crop, the samples are compared with the digest.

        Raises (in all messages but the first, the file is named; a DataLoader raises the same type, with the worker's traceback):
            IndexError: there is no such file.
            OSError: the file is not there any more, or cannot be read.
            FormatError: it is damaged, or no .linr file of a signal. LossyError: it holds no samples. LimitError: it asks for too much.
            UnsupportedError: it is of another kind or too small for the crop, or torch has no such type.
        """
        element: Any = self._tensor(self.paths[index])
        if self.transform is not None:
            element = self.transform(element)
        if not self.targets:
            return element
        target = self.targets[index]
        return element, target if self.target_transform is None else self.target_transform(target)

    def _tensor(self, path: Path) -> torch.Tensor:
        """What a file holds, or the part that is wanted of it."""
        with StreamReader(path, self._options, 0) as file:
            if self.kind is not None and file.kind != self.kind:
                raise UnsupportedError(f"{path}: is {named(file.kind)}, not {named(self.kind)}")
            samples = file.read() if self.crop is None else file[self._part(file)]
            try:
                found = torch.from_numpy(_arranged(samples, file.kind))
            except TypeError as fault:  # versions of torch before 2.3 have fewer types
                raise UnsupportedError(f"{path}: this version of torch has no type {samples.dtype.name}") from fault
            return found.view(torch.bfloat16) if file.bfloat16 else found

    def _part(self, file: StreamReader) -> tuple[slice, ...]:
        """A part of a file at a random place, by torch's generator, which differs between workers. Raises UnsupportedError."""
        axes = CROPPED.get(file.kind, tuple(range(file.ndim)))
        wanted = self.crop or ()
        sizes = wanted * len(axes) if len(wanted) == 1 else wanted
        if len(sizes) != len(axes):
            raise UnsupportedError(f"{file.path}: a crop of {len(sizes)} sizes does not fit {named(file.kind)} of shape {file.shape}")
        part = [slice(None)] * file.ndim
        for axis, size in zip(axes, sizes, strict=True):
            places = file.shape[axis] - size + 1
            if places < 1:
                raise UnsupportedError(f"{file.path}: is smaller than the crop {sizes}: its shape is {file.shape}")
            first = int(torch.randint(places, ()))
            part[axis] = slice(first, first + size)
        return tuple(part)


def _options(threads: int = 1, **limits: Any) -> Options:
    """The Options to decode with. Raises TypeError; ValueError."""
    if unknown := limits.keys() - {"max_samples", "max_memory"}:
        raise TypeError(f"{', '.join(sorted(unknown))}: there is no such option; threads, max_samples and max_memory there are")
    return Options(threads=threads, **limits)


def _sizes(crop: int | Sequence[int] | None) -> tuple[int, ...] | None:
    """The sizes of a crop. Raises ValueError."""
    if crop is None:
        return None
    sizes = (crop,) if isinstance(crop, Integral) else tuple(crop)  # type: ignore[arg-type]
    if not sizes or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in sizes):
        raise ValueError(f"crop is {crop!r}; it must be a whole number above 0, or several")
    return tuple(int(n) for n in sizes)


def _found(top: Path) -> list[Path]:
    """The files in a folder and those below it, sorted; of a folder that links lead to again, once. Raises OSError."""

    def fail(fault: OSError) -> None:
        raise fault

    found: list[Path] = []
    seen: set[str] = set()
    for folder, folders, names in os.walk(top, onerror=fail, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [Path(folder, name) for name in names if name.lower().endswith(SUFFIX)]
    return sorted(found)


def _class_of(path: Path, top: Path | None) -> str:
    """The name of a file's class. Raises InrcodecError if it has none."""
    folders = path.absolute().parent.parts[1:] if top is None else path.relative_to(top).parent.parts
    if not folders:
        raise InrcodecError(f"{path}: has no label, since it lies in no folder of {top or 'its own'}")
    return folders[-1] if top is None else folders[0]


def _arranged(samples: Samples, kind: Kind) -> Samples:
    """Samples as torch takes them: channels first, the machine's order of bytes."""
    if kind in ("image", "stack", "audio"):
        axes = {"image": 2, "stack": 3, "audio": 1}[kind]
        samples = np.moveaxis(samples.reshape(*samples.shape[:axes], -1), -1, 1 if kind == "stack" else 0)
    return np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
