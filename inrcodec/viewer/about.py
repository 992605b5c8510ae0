"""What the page must know of a file before it shows anything: what it is, what can be seen of it, and facts."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import bundle, facts, thumbnails
from ..codec import Opened
from ..container import FIRST, is_compact
from ..errors import FormatError, InrcodecError, LossyError, UnsupportedError, keeping_notices
from ..figures import INK_NAMES, Picture, channel_names, shown, shrunk
from ..options import Options
from ..stream import StreamReader
from . import drawing, listening
from .held import Held

PREVIEW_SIDE = 8  # rows and columns that are one in a preview
THUMBNAIL = 320  # pixels of its longer side, at most
DECODED = 1 << 21  # places that are decoded for a thumbnail, at most
SALVAGE = "inrcodec decode {} -o OUT --salvage writes what is intact; inrcodec verify {} names what is lost."
WHOLE = "It is a compact file, which can be read as a whole only: nothing of it can be got back."
SAFE = re.compile(r"[\w./+-]+", re.ASCII)


def fault_of(fault: InrcodecError, path: Path | None) -> dict[str, str]:
    """A fault of a file as the page shows it: one line, and what can be done."""
    text = str(fault)
    if path is not None:
        text = text.removeprefix(f"{path}: ")
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")  # names need not be Unicode
    damaged = isinstance(fault, FormatError) and not text.startswith("not a .linr file")
    hint = ""
    if damaged and path is not None and _is_compact(path):
        hint = WHOLE
    elif damaged and path is not None and path.name.isprintable():
        name = path.name if SAFE.fullmatch(path.name) else "'" + path.name.replace("'", "'\\''") + "'"
        hint = SALVAGE.format(name, name)
    return {"fault": text, "hint": hint}


def _is_compact(path: Path) -> bool:
    """Whether a file begins as a compact one does; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return is_compact(file.read(FIRST))
    except OSError:
        return False


def about(held: Held, options: Options) -> dict[str, Any]:
    """What a page says of a file. options: limits matter. Raises InrcodecError."""
    told: dict[str, Any] = {"name": held.name, "version": held.version, "shows": "table"}
    try:
        found = facts.of(held.path, options)
        told |= {"rows": facts.rows(found), "info": found}
    except FormatError as fault:
        if held.opened is None:
            raise
        header = held.opened.header  # a tile is damaged; the others can be shown
        signal = f"{header.kind} {facts.times(header.shape)} ({header.type_name})"
        told |= {"wrong": fault_of(fault, held.path), "rows": [("profile", held.opened.profile.name), ("signal", signal)]}
        told["info"] = {"file_bytes": held.stamp[0], "raw_bytes": header.raw_bytes}
    if held.opened is None:
        return told | {"table": _table(found)}
    return told | _of_signal(held, held.opened)


def _of_signal(held: Held, opened: Opened) -> dict[str, Any]:
    header, axes = opened.header, opened.layout.axes
    told: dict[str, Any] = {
        "kind": header.kind,
        "axes": list(axes),
        "tile": list(opened.layout.tile),
        "channels": channels_of(opened),
        "lossy": header.lossy,
        "network": held.why_no_network,
        "planes": [] if header.lossy else list(opened.planes),
        "bits": drawing.bits_of(held),
        "coded": 8 * held.stamp[0] / opened.layout.places,
    }
    if header.kind == "audio" or len(axes) == 1:
        told |= {"shows": "sound", "rate": header.sample_rate, "floating": header.float_map is not None or header.bfloat16}
        if header.kind == "audio":
            try:
                told |= {"plays": True, "changed": listening.changes(opened)}
            except UnsupportedError as fault:
                told |= {"plays": False, "changed": f"It cannot be played here: {fault}."}
        return told
    channels = told["channels"]
    seen = 4 if channels[:4] == list(INK_NAMES) else 3
    dropped = len(channels) - seen if len(channels) > 4 and header.dtype.kind != "c" else 0
    return told | {"shows": "picture", "nominal": drawing.is_nominal(held), "dropped": dropped}


def channels_of(opened: Opened) -> list[str]:
    """The names of the channels, as people call them; that of a single one, which needs none, is empty. Raises InrcodecError."""
    header, layout = opened.header, opened.layout
    if layout.channels == 1:
        return [""]
    one = np.zeros((*[1] * len(layout.axes), layout.channels), header.part_type)
    return channel_names(header.signal(header.shaped(one), opened.metadata))


def _table(found: dict[str, Any]) -> dict[str, Any]:
    """What a bundle holds, as a table."""
    if "arrays" in found:
        rows = [[a["name"], a["dtype"], facts.times(a["shape"]), a["raw_bytes"], a["bytes"]] for a in found["arrays"]]
        return {"heads": ["array", "type", "shape", "raw bytes", "bytes"], "rows": rows}
    rows = [[t["name"], t["dtype"], facts.times(t["shape"]), _how(t)] for t in found["tensors"]]
    return {"heads": ["tensor", "type", "shape", "coded"], "rows": rows}


def _how(tensor: dict[str, Any]) -> str:
    if "same_as" in tensor:
        return f"the same as {tensor['same_as']}"
    return facts.loss(tensor["lossy"]) if "lossy" in tensor else "exactly"


def card(held: Held, options: Options) -> dict[str, Any]:
    """What the contact sheet says of a file. Raises InrcodecError."""
    found = facts.of(held.path, options)
    if "tensors" in found or "arrays" in found:
        many = "tensors" if "tensors" in found else "arrays"
        what = f"{len(found[many])} {many}"
        icon = "bundle"
    else:
        what = f"{facts.times(found['shape'])} {found['dtype']}"
        icon = "sound" if found["kind"] == "audio" else "line" if len(held.signal.layout.axes) == 1 else "picture"
    return {
        "what": what,
        "icon": icon,
        "size": found["file_bytes"],
        "raw": found["raw_bytes"],
        "version": held.version,
    }


def preview(held: Held, options: Options) -> Picture | None:
    """The preview that a picture holds; None: there is none. Raises InrcodecError."""
    if held.opened is None or held.opened.header.kind != "image":
        return None
    with keeping_notices():
        found = thumbnails.of_preview(held.data(options.limits), PREVIEW_SIDE, options.limits)
    return None if found is None else shown(found)


def thumbnail(held: Held, options: Options) -> Picture | None:
    """A small picture of a picture, a page or a slice; None: it would take long, or nothing is to be seen. Raises InrcodecError."""
    found = preview(held, options)
    if found is None and held.opened is not None and not held.opened.header.lossy and len(held.opened.layout.axes) > 1:
        opened, axes = held.opened, held.opened.layout.axes
        box = (*(slice(n // 2, n // 2 + 1) for n in axes[:-2]), *(slice(0, n) for n in axes[-2:]))
        touched = sum(math.prod(s.stop - s.start for s in opened.layout.box(i)) for i in opened.meeting(box))
        if opened.header.kind != "audio" and touched <= DECODED:
            with opened.blaming():
                found = drawing.page(held, opened.decode(box, options))
    return None if found is None else shrunk(found, THUMBNAIL)


def verify(held: Held, options: Options) -> str:
    """Decode a file and compare it with its digest; what is right, in words. Raises InrcodecError: it is damaged."""
    if held.opened is None:
        data = held.data(options.limits)
        if bundle.holds_arrays(data):
            return f"{len(bundle.arrays.decode(data, options).items)} arrays match their digest"
        return f"{len(bundle.decode(data, options).tensors)} tensors match their digest"
    if held.opened.header.lossy:
        raise LossyError("it holds a network alone, so there are no samples to be checked")
    with StreamReader(held.file(), options, 0) as reader:  # brick by brick, where the digest is one of bricks
        reader.verify(options)
        return f"{reader.size} samples match their digest"
