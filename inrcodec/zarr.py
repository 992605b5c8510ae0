"""The codec `inrcodec` of Zarr v3: it codes each chunk as a `.linr` file (extra `zarr`).

    import inrcodec.zarr, zarr
    serializer = inrcodec.zarr.InrcodecCodec(effort=3)
    a = zarr.create_array(store, shape=shape, chunks=chunks, dtype=dtype, serializer=serializer, compressors=None)

Zarr finds it by its entry point, so that a store can be read without importing this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import chunks
from .errors import FormatError, naming
from .files import optional
from .options import Options

optional.require("inrcodec.zarr", {"zarr": "zarr"})

from zarr.abc.codec import ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin  # noqa: E402
from zarr.abc.store import RangeByteRequest  # noqa: E402

if TYPE_CHECKING:
    from zarr.abc.store import ByteGetter
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer
    from zarr.core.dtype import ZDType

NAME = "inrcodec"


@dataclass(frozen=True)
class InrcodecCodec(ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin):
    """An array → bytes codec. A chunk has any type of fixed size and any number of axes. Byte order is not kept: a chunk is little-endian.

    If no other codec follows, only what is needed of a chunk is read and decoded: its beginning, and the bricks that a selection meets.

    Attributes:
        effort, profile: see `inrcodec.Options`.
        sample_rate: frames per second, if chunks are sound, (frames[, channels]) of signed integers or floats; 0: they are not.
        threads: for one chunk; 0: as many as there are cores. It is not stored, nor is `verify`.
        verify: whether to decode what was encoded, and compare.
    """

    is_fixed_size = False

    effort: int = 4
    profile: str = "auto"
    sample_rate: int = 0
    threads: int = field(default=0, compare=False)
    verify: bool = field(default=True, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError: an option has a value that it cannot have."""
        chunks.check_options(self.profile, self.sample_rate)
        self._options()

    def _options(self) -> Options:
        return Options(profile=self.profile, effort=self.effort, threads=self.threads, verify=self.verify)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InrcodecCodec:
        """The codec that metadata describe. Raises ValueError: they are of another codec, or have options that it does not know."""
        given = data.get("configuration") or {}
        if data.get("name") != NAME or not isinstance(given, Mapping):
            raise ValueError(f"not the metadata of codec {NAME}: {data!r}")
        if unknown := [name for name in given if name not in chunks.STORED]:
            raise ValueError(f"codec {NAME} has no option {', '.join(map(repr, unknown))}; it has {', '.join(chunks.STORED)}")
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """What the metadata of an array have of it."""
        return {"name": NAME, "configuration": chunks.stored(self)}

    def validate(self, *, shape: Sequence[int], dtype: Any, chunk_grid: Any) -> None:
        """Raises UnsupportedError: elements of this type have no fixed size."""
        chunks.check_type(_native(dtype))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raises NotImplementedError: the size is not known before."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        given = chunk_data.as_numpy_array()
        array = given.astype(_little(given.dtype), copy=False)
        data = await asyncio.to_thread(chunks.encode, array, self._options(), self.sample_rate)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode, chunk_data.to_bytes(), chunk_spec)

    async def _decode_partial_single(self, byte_getter: ByteGetter, selection: Any, chunk_spec: ArraySpec) -> NDBuffer | None:
        selection = chunks.whole_selection(selection, len(chunk_spec.shape))
        with naming(_named(byte_getter)):
            in_memory = hasattr(byte_getter, "chunk_coords")  # a chunk of a shard
            if not (in_memory or chunks.is_whole(selection, chunk_spec.shape)):
                first = await byte_getter.get(chunk_spec.prototype, RangeByteRequest(0, chunks.FIRST_READ))
                if first is None:
                    return None
                data = first.to_bytes()
                if len(data) < chunks.FIRST_READ:  # that is all of it
                    return (await asyncio.to_thread(self._decode, data, chunk_spec, selection))[selection]
                try:
                    found = await self._decode_bricks(byte_getter, data, selection, chunk_spec)
                except FormatError:  # it is of a form that is read whole, or damaged, which is then told of all of it
                    found = None
                if found is not None:
                    return found[selection]
            whole = await byte_getter.get(chunk_spec.prototype)
            if whole is None:
                return None
            return (await asyncio.to_thread(self._decode, whole.to_bytes(), chunk_spec, selection))[selection]

    async def _decode_bricks(self, byte_getter: ByteGetter, data: bytes, selection: tuple[Any, ...], spec: ArraySpec) -> NDBuffer | None:
        """A chunk in which only what is selected is set; None if bytes are missing in the store. Raises FormatError.

        data: the first bytes of the chunk.
        """

        async def get(start: int, stop: int) -> bytes:
            found = await byte_getter.get(spec.prototype, RangeByteRequest(start, stop))
            return b"" if found is None else bytes(found.to_bytes())

        while isinstance(beginning := chunks.Beginning.read(data), int):
            more = await get(len(data), beginning)
            if not more:
                return None
            data += more
        numbers = beginning.bricks(selection, spec.shape, _little(_native(spec.dtype)))
        spans = [(start, stop) for start, stop in beginning.spans(numbers) if stop > len(data)]
        read = await asyncio.gather(*(get(start, stop) for start, stop in spans))
        pieces = {0: data, **dict(zip((start for start, _ in spans), read, strict=True))}
        return await asyncio.to_thread(self._decode_pieces, beginning, pieces, spec, selection)

    def _decode_pieces(
        self, beginning: chunks.Beginning, pieces: Mapping[int, bytes], spec: ArraySpec, selection: Sequence[Any]
    ) -> NDBuffer:
        opened = beginning.opened(pieces, self._options().limits)
        dtype = _native(spec.dtype)
        found = chunks.decode_opened(opened, spec.shape, _little(dtype), self._options(), selection)
        return spec.prototype.nd_buffer.from_numpy_array(found.astype(dtype, copy=False))

    def _decode(self, data: bytes, spec: ArraySpec, selection: Sequence[Any] | None = None) -> NDBuffer:
        dtype = _native(spec.dtype)
        found = chunks.decode(data, spec.shape, _little(dtype), self._options(), selection)
        return spec.prototype.nd_buffer.from_numpy_array(found.astype(dtype, copy=False))


def _native(dtype: ZDType[Any, Any]) -> np.dtype[Any]:
    """The type of NumPy of a type of Zarr."""
    found: np.dtype[Any] = dtype.to_native_dtype()
    return found


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A type in the byte order of chunks."""
    return dtype.newbyteorder("<")


def _named(byte_getter: ByteGetter) -> str:
    """What messages call a chunk."""
    inner = getattr(byte_getter, "chunk_coords", None)
    return str(byte_getter) if inner is None else f"chunk {tuple(map(int, inner))} of a shard"
