"""`inrcodec view`: a local page that shows a .linr file, or a folder of them. It needs the extra `view`: Starlette and uvicorn.

`guard` lets only the browser in that was given the address; `library` says which files there are; `held` opens them; `store` keeps what was
decoded; `drawing` and `listening` make pictures, values and sound of it; `app` has the addresses; `serving` runs it. static/ is the page.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import MissingError

NEEDED = ("starlette", "uvicorn")


def require() -> None:
    """Raise MissingError if a package is missing that the viewer needs."""
    if any(find_spec(name) is None for name in NEEDED):
        raise MissingError("inrcodec view needs Starlette and uvicorn; install with: pip install 'inrcodec[view]'")
