"""The addresses of the viewer, and what is answered there.

A fault of a file is an answer as any other, of status 200, with the line in "fault": the page shows it, and it is no fault of the request.
Names that lead out of what is shown, and questions that make no sense, get 404 and 400.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .. import figures
from ..errors import InrcodecError, Stopped
from ..options import Options
from . import about, drawing, listening
from .asking import AskedWronglyError, area, layer, number, numbers, part
from .guard import Access, Guard
from .held import ChangedError, Files, Held
from .library import Library, NotHereError
from .samples import Samples
from .store import Store

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
KEPT = 1 << 28  # bytes of decoded samples, if the limits do not say less
SHARE = 4  # of the memory that the limits allow may be kept
COLUMNS = 1000  # of a waveform or of costs, if nothing else is asked for

ENDED = "The program in the terminal has ended."

Found = TypeVar("Found")
Answer = Callable[[Request, Held], Coroutine[Any, Any, Response]]


@dataclass
class Viewer:
    """What answers.

    library: the files; options: threads and limits; store: what is kept of the work.
    """

    library: Library
    options: Options
    store: Store

    def __post_init__(self) -> None:
        self.files = Files(self.library, self.options.limits)
        self.samples = Samples(self.store, self.options)

    @classmethod
    def of(cls, library: Library, options: Options) -> Viewer:
        """A viewer with a store of the size that the limits allow."""
        most = min(KEPT, options.max_memory // SHARE) if options.max_memory else KEPT
        return cls(library, options, Store(most, options.workers))

    def routes(self) -> list[Route]:
        """All addresses."""
        of_files: dict[str, Answer] = {
            "about": self.about,
            "card": self.card,
            "thumbnail": self.thumbnail,
            "preview": self.preview,
            "span": self.span,
            "picture": self.picture,
            "values": self.values,
            "waveform": self.waveform,
            "costs": self.costs,
            "frame": self.frame,
            "sound.wav": self.sound,
            "verify": self.verify,
        }
        return [
            Route("/", _static("index.html")),
            *(Route(f"/static/{path.name}", _static(path.name)) for path in sorted(STATIC.iterdir()) if path.suffix in TYPES),
            Route("/api/list", self.list),
            *(Route(f"/api/{name}", self._of_file(answer)) for name, answer in of_files.items()),
        ]

    async def list(self, request: Request) -> Response:
        """The names of all files."""
        names = await self.store.run(self.library.names)
        told = [{"name": name} if _is_text(name) else {"name": repr(name), "fault": "its name is not valid Unicode"} for name in names]
        return JSONResponse({"title": _as_text(self.library.title), "single": self.library.single, "files": told})

    def _of_file(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """What answers questions about the file that parameter `name` names. If nobody waits for it any more, the work is stopped."""

        async def endpoint(request: Request) -> Response:
            path: Path | None = None
            try:
                path = self.library.path(request.query_params.get("name", ""))
                held = await self.store.run(self.files.get, request.query_params["name"])
                if request.query_params.get("version", held.version) != held.version:
                    raise ChangedError("was changed since it was opened")
                return await _unless_gone(request, answer(request, held))
            except NotHereError as fault:
                return PlainTextResponse(str(fault), 404)
            except AskedWronglyError as fault:
                return PlainTextResponse(str(fault), 400)
            except ChangedError as fault:
                return JSONResponse(about.fault_of(fault, path) | {"changed": True})
            except InrcodecError as fault:
                return JSONResponse(about.fault_of(fault, path))
            except MemoryError:
                return JSONResponse({"fault": "not enough memory", "hint": ""})
            except (Stopped, asyncio.CancelledError):  # nobody waits any more, or the server ends
                return PlainTextResponse(ENDED, 503)
            except Exception as fault:
                print(f"inrcodec: {request.url.path.rpartition('/')[2]}: {_as_text(repr(fault))}", file=sys.stderr, flush=True)
                return JSONResponse({"fault": "the program failed; the terminal says how", "hint": ""})

        return endpoint

    async def _work(self, what: str, held: Held, work: Callable[[Options], Found]) -> Found:
        """What some work makes of a file, in a thread of the store. It is given options with a stop."""
        key = (what, held.path, held.stamp)
        return await self.store.get(key, lambda stop: work(replace(self.options, stop=stop)), lambda found: 0)

    async def about(self, request: Request, held: Held) -> Response:
        """What a page must know of a file."""
        return JSONResponse(await self.store.run(about.about, held, self.options))

    async def card(self, request: Request, held: Held) -> Response:
        """What the contact sheet says of a file."""
        return JSONResponse(await self.store.run(about.card, held, self.options))

    async def verify(self, request: Request, held: Held) -> Response:
        """Compare a file with its digest."""
        return JSONResponse({"right": await self._work("verify", held, lambda options: about.verify(held, options))})

    async def thumbnail(self, request: Request, held: Held) -> Response:
        """A small picture, or the waveform of a sound that is not too long."""
        opened = held.opened
        if opened is not None and not opened.header.lossy and len(opened.layout.axes) == 1 and opened.layout.places <= about.DECODED:
            wave = await listening.waveform(self.samples, held, 0, opened.layout.axes[0], number(request, "columns", 160))
            return JSONResponse({"wave": wave})
        found = await self._work("thumbnail", held, lambda options: about.thumbnail(held, options))
        return JSONResponse({"none": True}) if found is None else await _png(self.store, found)

    async def preview(self, request: Request, held: Held) -> Response:
        """The preview in a picture."""
        found = await self.store.run(about.preview, held, self.options)
        return JSONResponse({"none": True}) if found is None else await _png(self.store, found)

    async def span(self, request: Request, held: Held) -> Response:
        """Which numbers of a page are black and white."""
        span = await drawing.span_of(self.samples, held, numbers(request, "page", ()))
        return JSONResponse({"span": span and [f"{end:.6g}" for end in span]})

    async def picture(self, request: Request, held: Held) -> Response:
        """A part of a page, as PNG. Header x-fault has what of it is lost."""
        step = number(request, "step", 1)
        if not 1 <= step <= drawing.STEPS:
            raise AskedWronglyError("step is out of range")
        drawn = await drawing.draw(self.samples, held, layer(request), area(request), step)
        headers = {"x-fault": quote("; ".join(drawn.faults))} if drawn.faults else {}
        return Response(drawn.png, headers=headers, media_type="image/png")

    async def values(self, request: Request, held: Held) -> Response:
        """The values of a part of a page, as texts."""
        return JSONResponse({"values": await drawing.values(self.samples, held, layer(request), area(request))})

    async def waveform(self, request: Request, held: Held) -> Response:
        """The least and the largest sample of each column of a sound."""
        start, stop = number(request, "start", 0), number(request, "stop", 0)
        return JSONResponse(await listening.waveform(self.samples, held, start, stop, number(request, "columns", COLUMNS)))

    async def costs(self, request: Request, held: Held) -> Response:
        """The bits of each column of a sound."""
        start, stop, columns = number(request, "start", 0), number(request, "stop", 0), number(request, "columns", COLUMNS)
        return JSONResponse(await listening.costs(self.samples, held, start, stop, columns, number(request, "plane", -1)))

    async def frame(self, request: Request, held: Held) -> Response:
        """The samples of a frame of a sound, as texts."""
        return JSONResponse({"values": await listening.told(self.samples, held, number(request, "at", 0))})

    async def sound(self, request: Request, held: Held) -> Response:
        """A sound as a WAV file, or the part of it that header Range asks for."""
        size = listening.Wave.of(held.tiled).size
        first, last, headers = 0, size - 1, {"accept-ranges": "bytes"}
        if asked := part(request, size):
            first, last = asked
            if first > last:
                return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
            headers["content-range"] = f"bytes {first}-{last}/{size}"
        headers["content-length"] = str(last - first + 1)
        status = 206 if asked else 200
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type="audio/wav")
        body = listening.wav(self.samples, held, first, last)
        return StreamingResponse(body, status, headers, "audio/wav")


def app(viewer: Viewer, access: Access) -> Guard:
    """The ASGI application."""
    return Guard(Starlette(routes=viewer.routes()), access)


def _static(name: str) -> Callable[[Request], Awaitable[Response]]:
    path = STATIC / name
    content, kind = path.read_bytes(), TYPES[path.suffix]

    async def endpoint(request: Request) -> Response:
        return Response(content, media_type=kind)

    return endpoint


async def _png(store: Store, picture: figures.Picture) -> Response:
    return Response(await store.run(figures.png, picture), media_type="image/png")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """What work gives; if the browser closes the connection before, it is cancelled. Raises Stopped then."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return await working
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def _is_text(name: str) -> bool:
    return name.isascii() or not any(0xD800 <= ord(c) < 0xE000 for c in name)


def _as_text(name: str) -> str:
    return name if _is_text(name) else repr(name)
