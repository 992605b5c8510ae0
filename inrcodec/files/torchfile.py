"""PyTorch's .pt and .pth ↔ `Tensors`. They are read by `inrcodec.fit.pickles`, which runs no code of the file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from .. import fit
from ..errors import FormatError
from ..limits import Limits
from ..tensors import Tensor, Tensors

TREE = "torch/tree"  # key of what a file has beside tensors, and of where its dicts lie in one another: a JSON object, see `read`
COPIES = 3  # of the file: its bytes, torch's tensors, ours


def read(path: Path, file: BufferedReader, limits: Limits) -> Tensors:
    """The tensors of a file by dotted names, as in a state dict.

    Numbers, strings and lists beside them go to the metadata as JSON, {"paths": {name: keys}, "values": [[keys, value], …]}; "paths" has
    the names that are not a single key. Raises FormatError, LimitError, UnsupportedError; MissingError: torch is not installed.
    """
    fit.require("a PyTorch file")
    from ..fit import pickles

    size = file.seek(0, 2)
    file.seek(0)
    if zipfile.is_zipfile(file):
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            size = max(size, sum(member.file_size for member in archive.infolist()))
    limits.check_memory(COPIES * size)
    file.seek(0)
    leaves, values = pickles.load(file, limits)
    tensors: dict[str, Tensor] = {}
    paths: dict[str, list[str | int]] = {}
    for keys, tensor in leaves:
        name = pickles.dotted(keys)
        if name in tensors:
            raise FormatError(f"two tensors have the name {name}")
        tensors[name] = tensor
        if keys != (name,):
            paths[name] = list(keys)
    values.sort(key=lambda leaf: pickles.dotted(leaf[0]))  # in another order in the dict it would be the same
    tree = {"paths": paths, "values": [[list(keys), value] for keys, value in values]}
    metadata = (
        {TREE: json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")} if paths or values else {}
    )
    return Tensors(tensors, metadata)


def write(path: Path, tensors: Tensors) -> None:
    """Write a state dict, with dicts inside dicts where the file that was read had them. Raises MissingError: torch is not installed."""
    fit.require("a PyTorch file")
    from ..fit import pickles

    paths, values = _tree(tensors.metadata.get(TREE))
    root: dict[Any, Any] = {}
    for name, tensor in tensors.tensors.items():
        _put(root, paths.get(name, [name]), pickles.tensor_of(tensor))
    for keys, value in values:
        _put(root, keys, value)
    pickles.save(root, path)


def _tree(plain: bytes | None) -> tuple[dict[str, list[str | int]], list[tuple[list[str | int], Any]]]:
    """What the metadata say of dicts in dicts, and of values beside tensors. Raises FormatError."""
    if plain is None:
        return {}, []
    try:
        found = json.loads(plain.decode("utf-8", "surrogatepass"))
        paths = {str(name): list(keys) for name, keys in found["paths"].items()}
        values = [(list(keys), value) for keys, value in found["values"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise FormatError(f"its metadata {TREE} cannot be read") from fault
    every = [*paths.values(), *(keys for keys, _ in values)]
    if not all(keys and all(isinstance(key, str | int) for key in keys) for keys in every):
        raise FormatError(f"its metadata {TREE} cannot be read")
    return paths, values


def _put(root: dict[Any, Any], keys: Sequence[str | int], value: Any) -> None:
    """Put a value into dicts inside dicts. Raises FormatError: a key is a tensor's, or taken."""
    for key in keys[:-1]:
        root = root.setdefault(key, {})
        if not isinstance(root, dict):
            raise FormatError(f"its metadata {TREE} cannot be read")
    if keys[-1] in root:
        raise FormatError(f"its metadata {TREE} cannot be read")
    root[keys[-1]] = value
