"""Removing an original, after it was shown that its .linr file gives back all that can be known of it.

The .linr file is read back from where it was written, decoded, and compared with the original as it is now: samples, what they mean, and
metadata. Then what decodes is written as a file of the original's type. If that is the original byte for byte, nothing is lost. Else it is
read again and compared, and of PNG, WebP and TIFF the names of chunks and tags that it does not have are reasons to keep the original, as
are notices on what reading it leaves out. What is lost then is how the original was packed, such as its level of compression.

Likewise a .linr file is removed only if the file that it was decoded to was read again and holds all of it.
"""

from __future__ import annotations

import filecmp
import io
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InrcodecError, Notice
from ..files import ifd, pngchunks
from ..options import Options
from . import content, places
from .content import Content

if TYPE_CHECKING:
    from . import tasks

# how pixels are packed in a TIFF file, which is no loss: strips, tiles, compression, predictor, a palette
PACKING = {254, 255, 259, 266, 273, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}


def removed(task: tasks.Task) -> str:
    """Remove the source of a task whose target is in place; the reason why it was not, "" if it was.

    Raises InrcodecError: what was written is not what the source holds. Stopped.
    """
    from . import tasks  # which uses this module

    path = places.disk_path(task.source)
    if path is not None and path.is_symlink():
        return "it is a link"
    before = tasks.stamp(task.source)
    coded, plain = (task.target, task.source) if task.action == "encode" else (task.source, task.target)
    with places.local(coded) as linr, places.local(plain) as original, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", Notice)
        found = content.decode(tasks.read_linr(linr, task.options), Options(threads=int(task.options.get("threads") or 0)))
        same = content.same(found, content.read(original, task.options))
        if task.action == "encode" and not same:
            raise InrcodecError(f"{coded}: what was written does not decode to {plain} as it is now, which is kept")
        if not same:
            return f"{plain} does not keep all that is in it"
        if told := [str(w.message) for w in caught]:
            return told[0].removeprefix(f"{original}: ")
        if task.action == "encode" and (kept := not_given_back(original, found)):
            return kept
    if tasks.stamp(task.source) != before:
        return "it was changed meanwhile"
    if path is not None and path.is_dir():
        for file in sorted(path.iterdir()):
            file.unlink()
        path.rmdir()
    else:
        places.remove(task.source)
    return ""


def not_given_back(original: Path, found: Content) -> str:
    """What a file holds that does not come back, as far as it can be known; "" if nothing. found: what its .linr file decodes to."""
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, original.name)
        try:
            if original.is_dir():
                again.mkdir()
            lost = content.write(again, found)
            if original.is_dir():
                names = sorted(path.name for path in original.iterdir())
                same, *_ = filecmp.cmpfiles(original, again, names, shallow=False)
                return "" if sorted(same) == names else "some of its files do not come back byte for byte"
            if filecmp.cmp(original, again, shallow=False):
                return ""
            if lost:
                return f"its type does not keep exactly: {', '.join(lost)}"
            if not content.same(content.read(again, {}), found):
                return "decoding does not give a file of this type with the same samples and metadata"
            missing = _missing(original.read_bytes(), again.read_bytes())
        except InrcodecError as fault:
            return str(fault).replace(str(again), original.name)
    return f"it holds what does not come back: {', '.join(missing)}" if missing else ""


def _missing(one: bytes, other: bytes) -> list[str]:
    """The names of what a file has and another of the same type has not, where they are known."""
    if one.startswith(pngchunks.SIGNATURE):
        return _missing_chunks(one, other)
    if one[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return sorted(f"tag {tag}" for tag in (_tags(one) - _tags(other)))
    if one[:4] == b"RIFF" and one[8:12] == b"WEBP":
        return sorted(f"chunk {kind.decode('latin-1')}" for kind in _webp_chunks(one) - _webp_chunks(other))
    return []


def _missing_chunks(one: bytes, other: bytes) -> list[str]:
    """The types of ancillary chunks that a PNG file has and another has not; and whether bytes follow its end."""
    chunks, others = ([kind for kind, _ in pngchunks.walk(data)] for data in (one, other))
    end = len(pngchunks.SIGNATURE) + sum(12 + len(content) for _, content in pngchunks.walk(one))
    missing = {
        kind.decode("latin-1") for kind in set(chunks) - set(others) if kind not in pngchunks.DROPPED and kind not in pngchunks.TEXTS
    }
    return sorted(f"chunk {kind}" for kind in missing) + (["bytes after its end"] if end < len(one) else [])


def _webp_chunks(data: bytes) -> set[bytes]:
    """The types of the chunks of a WebP file, but for that which only says which others there are."""
    found, at = set(), 12
    while at + 8 <= len(data):
        found.add(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return found - {b"VP8X"}


def _tags(data: bytes) -> set[int]:
    """The numbers of all tags of a TIFF file, but for those that say how pixels are packed."""
    found: set[int] = set()
    pages, _ = ifd.parse_pages(io.BytesIO(data))
    left = list(pages)
    while left:
        tags = left.pop()
        found |= tags.keys()
        left += [value for value in tags.values() if isinstance(value, dict)]
    return found - PACKING
