"""Runs the viewer on a port of this machine until it is told to end."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from ..errors import InrcodecError
from ..options import Options
from ..storage import reason
from .app import Viewer, app
from .guard import PARAMETER, Access
from .library import Library

HOSTS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
CONNECTIONS = 256  # at a time; browsers open six
GRACE = 1.0  # seconds for answers that are under way, and then for work in threads


def bound(port: int) -> socket.socket:
    """A socket that is bound to a port of this machine alone; 0: one that is free. Raises InrcodecError: it is taken."""
    faults: list[OSError] = []
    for family, host in HOSTS:
        try:
            found = socket.socket(family, socket.SOCK_STREAM)
            if os.name != "nt":  # there, it would let two programs share a port
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((host, port))
            found.listen()
            return found
        except OSError as fault:
            faults.append(fault)
            if fault.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # this machine has no such addresses
                break
    taken = faults[-1].errno == errno.EADDRINUSE
    why = "is taken by another program; without --port, a free one is taken" if taken else f"cannot be used: {reason(faults[-1])}"
    raise InrcodecError(f"port {port} {why}")


def run(path: Path, options: Options, port: int, browse: bool, started: Callable[[str], None]) -> bool:
    """Show a file or a folder until Ctrl-C or SIGTERM; whether all work in threads has ended then.

    options: threads and limits matter; port: 0: one that is free; browse: whether to open a browser; started: called with the address
    when it is ready.
    Raises InrcodecError: the path cannot be read, or the port is taken.
    """
    viewer = Viewer.of(Library(path), options)
    listening = bound(port)
    name, port = listening.getsockname()[:2]
    access = Access.of(port)
    address = f"http://{f'[{name}]' if ':' in name else name}:{port}{access.path}/?{PARAMETER}="

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started(address + access.token)
            if browse:  # a browser of the terminal would hold the server up
                threading.Thread(target=_browse, args=(address + access.one_visit(),), daemon=True).start()

    config = uvicorn.Config(
        app(viewer, access),
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=int(GRACE),
    )
    server = Server(config)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    try:
        with _ended_by_ctrl_c(server):
            server.run([listening])
    finally:
        listening.close()
        ended = viewer.store.close(GRACE)
    return ended


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line is for the terminal; that answers under way are cut off is what Ctrl-C asks for."""
    return "timeout graceful shutdown exceeded" not in record.getMessage()


@contextmanager
def _ended_by_ctrl_c(server: uvicorn.Server) -> Iterator[None]:
    """Let Ctrl-C end the server inside the `with` block. uvicorn hears it too, and raises the signal again when it has ended."""

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    heard = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    before = signal.signal(signal.SIGINT, end) if heard else None
    try:
        yield
    finally:
        if heard:
            signal.signal(signal.SIGINT, before)


def _browse(address: str) -> None:
    """Open a browser, if there is one; the line in the terminal serves where there is none."""
    try:
        webbrowser.open(address)
    except webbrowser.Error:
        return


def leave() -> None:
    """End the process at once, with status 0. Threads that compile a kernel cannot be stopped otherwise."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(0)
