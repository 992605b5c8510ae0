"""Metadata of the pages of a stack: those of the first page, and how each page differs from the one before it.

The first page, number 1, has the usual keys. For a later page, `page/N/+KEY` has a value that it has and the page before it has not, and
`page/N/-KEY`, which is empty, says that it lacks what the page before it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PREFIX = "page/"
DESCRIPTION = "text/Description"
IMAGEJ = {"tiff/50838", "tiff/50839", "tiff/byteorder"}  # its metadata
_CHANGE = re.compile(r"page/([1-9]\d{0,9})/([+-])(.*)", re.DOTALL)


def joined(pages: Iterable[Mapping[str, bytes]]) -> dict[str, bytes]:
    """The metadata of a stack from those of its pages, which have no keys that begin with PREFIX."""
    found: dict[str, bytes] = {}
    before: Mapping[str, bytes] | None = None
    for number, page in enumerate(pages, 1):
        if before is None:
            found.update(page)
        else:
            found |= {f"{PREFIX}{number}/-{key}": b"" for key in before if key not in page}
            found |= {f"{PREFIX}{number}/+{key}": value for key, value in page.items() if before.get(key) != value}
        before = page
    return found


def parted(metadata: Mapping[str, bytes], count: int) -> list[dict[str, bytes]]:
    """The metadata of each of `count` pages. Keys of other pages are left out."""
    changes: dict[int, list[tuple[str, str, bytes]]] = {}
    page: dict[str, bytes] = {}
    for key, value in metadata.items():
        if match := _CHANGE.fullmatch(key):
            changes.setdefault(int(match[1]), []).append((match[2], match[3], value))
        elif not key.startswith(PREFIX):
            page[key] = value
    found = [page]
    for number in range(2, count + 1):
        if number in changes:
            page = dict(page)
            for sign, key, value in changes[number]:
                if sign == "+":
                    page[key] = value
                else:
                    page.pop(key, None)
        found.append(page)
    return found


def of_whole(description: bytes) -> bool:
    """Whether a description speaks of all pages of a file: that of ImageJ, or that of OME."""
    return description.startswith(b"ImageJ=") or (b"<OME " in description and b"<Pixels" in description)


def of_pages(metadata: Mapping[str, bytes], start: int, stop: int) -> dict[str, bytes]:
    """The metadata of the pages start … stop − 1, counted from 0, as those of a stack of their own, without what speaks of all pages."""
    pages = parted(metadata, stop)[start:]
    whole = of_whole(metadata.get(DESCRIPTION, b""))
    gone = IMAGEJ | ({DESCRIPTION} if whole else set())
    return joined({key: value for key, value in page.items() if key not in gone} for page in pages)
