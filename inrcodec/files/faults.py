"""Every fault in reading or writing a file becomes an InrcodecError of one line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InrcodecError, quiet


@contextmanager
def faults(what: str) -> Iterator[None]:
    """Raise every exception inside as an InrcodecError of one line, and silence warnings but Notices.

    InrcodecErrors pass as they are, and so do OSErrors of the system: of those that a library raises for a damaged file, some
    have no error number, and others come of a place before the beginning of the file (EINVAL).

    Args:
        what: what is wrong if a library's exception says no more than its own concern.
    """
    with quiet():
        try:
            yield
        except InrcodecError:
            raise
        except MemoryError as fault:
            raise InrcodecError(f"{what}, or too large for the memory there is") from fault
        except Exception as fault:
            if isinstance(fault, OSError) and fault.errno not in (None, errno.EINVAL):
                raise
            detail = " ".join(str(fault).split()) or type(fault).__name__
            raise InrcodecError(f"{what} ({detail})") from fault
