"""Removing an original, after it was shown that its .linr file gives back all that can be known of it.

The .linr file is read back from where it was written, decoded, and compared with the original as it is now: samples, what they mean, and
metadata. Then what decodes is written as a file of the original's type. If that is the original byte for byte, nothing is lost. Else it is
read again and compared, and the original is removed only if all of its bytes can be accounted for (see `accounting`) and reading it gave no
notice. What is lost then is how the original was packed, such as its level of compression.

Likewise a .linr file is removed only if the file that it was decoded to was read again and holds all of it.
"""

from __future__ import annotations

import filecmp
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InrcodecError, keeping_notices
from ..files import series
from ..options import Options
from ..signal import Signal
from ..storage import scratch
from . import accounting, content, places
from .content import Content

if TYPE_CHECKING:
    from . import tasks

UNTOLD = "it does not come back byte for byte, and of a file of this kind it cannot be told what else it holds"


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
    with places.local(coded) as linr, places.local(plain) as original, keeping_notices() as told:
        found = content.decode(tasks.read_linr(linr, task.options), Options(threads=int(task.options.get("threads") or 0)))
        same = content.same(found, content.read(original, task.options))
        if task.action == "encode" and not same:
            raise InrcodecError(f"{coded}: what was written does not decode to {plain} as it is now, which is kept")
        if not same:
            return f"{plain} does not keep all that is in it"
        if told:
            return told[0].removeprefix(f"{original}: ")
        if task.action == "encode" and (kept := not_given_back(original, found)):
            return kept
    if tasks.stamp(task.source) != before:
        return "it was changed meanwhile"
    if path is not None and path.is_dir():
        return _folder_removed(path, series.names(found.metadata) if isinstance(found, Signal) else [])
    places.remove(task.source)
    return ""


def _folder_removed(path: Path, names: list[str]) -> str:
    """Remove a folder of files of these names, which were compared; the reason why it was not, "" if it was. Raises OSError."""
    if sorted(os.listdir(path)) != sorted(names):
        return "it holds other files too"
    for name in names:
        (path / name).unlink()
    with suppress(OSError):
        path.rmdir()
    return "other files have come to it" if path.exists() else ""


def not_given_back(original: Path, found: Content) -> str:
    """What a file holds that does not come back, as far as it can be known; "" if nothing. found: what its .linr file decodes to."""
    with scratch() as folder:
        again = folder / original.name
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
            missing = accounting.left_out(original.read_bytes(), again.read_bytes())
        except InrcodecError as fault:
            return str(fault).replace(str(again), original.name)
    if missing is None:
        return UNTOLD
    return f"it holds what does not come back: {', '.join(missing)}" if missing else ""
