"""PyTorch's files ↔ tensors. Only torch's reader of weights opens them, which knows tensors and plain values and runs no code of a file."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..tensors import BY_NAME, Tensor

TORCH = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.float8_e5m2: "F8_E5M2", torch.float8_e4m3fn: "F8_E4M3",
    torch.int16: "I16", torch.uint16: "U16", torch.float16: "F16", torch.bfloat16: "BF16", torch.int32: "I32", torch.uint32: "U32",
    torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint64: "U64",
}  # fmt: skip
MOST_DEPTH = 32  # dicts and lists in one another
SIGNED = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # torch's types that NumPy has under the same bits
Keys = tuple[str | int, ...]
Leaf = tuple[Keys, Any]


def load(file: BufferedReader, limits: Limits) -> tuple[list[tuple[Keys, Tensor]], list[Leaf]]:
    """The tensors of a file, and its numbers, strings and lists of them, each with the keys that lead to it.

    Raises:
        FormatError: the file is damaged.
        LimitError: its tensors have more elements, or take more memory, than the limits allow.
        UnsupportedError: it has code, objects other than tensors and plain values, or tensors of unknown types; the message names them.
    """
    try:
        root = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        raise UnsupportedError(_refusal(str(fault))) from None
    except MemoryError:
        raise
    except Exception as fault:  # torch has no type of its own for damaged files
        if "TorchScript" in str(fault):
            raise UnsupportedError(_refusal("TorchScript")) from None
        raise FormatError(f"damaged or not a PyTorch file ({' '.join(str(fault).split())[:200] or type(fault).__name__})") from None
    if isinstance(root, torch.Tensor):
        raise UnsupportedError("it holds one tensor without a name; save a dict of tensors")
    if not isinstance(root, Mapping):
        raise UnsupportedError(f"it holds an object of type {type(root).__name__}; save its state_dict() instead")
    tensors, values, elements, taken = [], [], 0, 0
    for keys, leaf in _leaves(root, ()):
        if isinstance(leaf, torch.Tensor):
            elements, taken = elements + leaf.numel(), taken + leaf.numel() * leaf.element_size()
            limits.check_shape((elements,))  # a view may have far more elements than there are in the file
            limits.check_memory(3 * taken)
            tensors.append((keys, _tensor(dotted(keys), leaf)))
        else:
            values.append((keys, _plain(keys, leaf, 0)))
    return tensors, values


def _refusal(told: str) -> str:
    """Why torch did not take a file, as one line."""
    for mark in ("GLOBAL ", "Unsupported global: "):
        if mark in told:
            name = told.split(mark, 1)[1].split()[0].strip("'`\",.")
            return f"it holds code or objects ({name}), which are not read; save the state_dict() of the model instead"
    if "legacy" in told or "TorchScript" in told:
        return "it holds a program (TorchScript), which is not read; save the state_dict() of the model instead"
    return "damaged, or it holds code or objects, which are not read; save the state_dict() of the model instead"


def dotted(keys: Keys) -> str:
    """The name of what keys lead to."""
    return ".".join(map(str, keys))


def _plain(keys: Keys, leaf: Any, depth: int) -> Any:
    """A number, a string, None, or a list or dict of such, as JSON can hold it. Raises UnsupportedError, naming it."""
    if leaf is None or isinstance(leaf, bool | int | str | float):
        return leaf
    if isinstance(leaf, list | tuple) and depth < MOST_DEPTH:
        return [_plain(keys, part, depth + 1) for part in leaf]
    if isinstance(leaf, Mapping) and depth < MOST_DEPTH and all(isinstance(key, str) for key in leaf):
        return {key: _plain(keys, part, depth + 1) for key, part in leaf.items()}
    raise UnsupportedError(
        f"{dotted(keys)[:200]} is or holds something of type {type(leaf).__name__}; only tensors, dicts, numbers and strings can be coded"
    )


def _leaves(found: Mapping[Any, Any], keys: Keys) -> Iterator[Leaf]:
    if len(keys) > MOST_DEPTH:
        raise UnsupportedError(f"{dotted(keys)[:100]}: more than {MOST_DEPTH} dicts in one another")
    for key, value in found.items():
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise UnsupportedError(f"{dotted((*keys, repr(key)))[:200]} is no name; a state dict has strings or numbers as keys")
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*keys, key))
        else:
            yield (*keys, key), value


def _tensor(name: str, found: torch.Tensor) -> Tensor:
    if found.dtype not in TORCH or found.layout is not torch.strided or found.is_quantized:
        what = "sparse" if found.layout is not torch.strided else str(found.dtype).removeprefix("torch.")
        raise UnsupportedError(f"tensor {name} is of type {what}, which is not supported; known are {', '.join(BY_NAME)}")
    if found.is_meta:
        raise UnsupportedError(f"tensor {name} has no elements in the file")
    dtype = BY_NAME[TORCH[found.dtype]]
    flat = found.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(SIGNED[dtype.width // 8])
    return Tensor(dtype.name, flat.numpy().view(dtype.word).copy().reshape(tuple(found.shape)))


def tensor_of(tensor: Tensor) -> torch.Tensor:
    """The torch tensor with the same bits."""
    dtype = next(kind for kind, name in TORCH.items() if name == tensor.dtype)
    plain = SIGNED[tensor.bits.dtype.itemsize]
    signed = tensor.bits.reshape(-1).view(f"i{tensor.bits.dtype.itemsize}" if tensor.bits.dtype.itemsize > 1 else "u1").copy()
    return torch.from_numpy(signed).view(plain).view(dtype).reshape(tensor.shape)


def save(root: dict[Any, Any], path: Path) -> None:
    """Write a dict as a PyTorch file."""
    torch.save(root, path)
