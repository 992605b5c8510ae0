"""Who may ask: only the browser that was given the address, of this machine, and only to read.

Every request is checked before anything else is looked at, also one for a static file:

- Its Host must be this server's own. A page elsewhere whose name leads to this machine (DNS rebinding) has another one.
- It must not come from a page of another origin. A browser says so by Sec-Fetch-Site.
- If it names an origin, that must be this server's.
- Its method must be GET or HEAD.
- Its path must begin with one that nobody can guess, to which the cookie belongs: browsers send the cookies of a machine to all its
  servers, whatever their ports, but only for their paths.
- It must know the secret. The address that is opened has a token; with it a cookie is set, and the browser is sent on to an address
  without it, so that the token does not stay in the address bar.

The address that a browser is started with can be read by other users of the machine, in the list of processes. So its token is good for
one visit; the one that is printed in the terminal stays good.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PARAMETER = "token"
HTTP = 80  # the port of an address that names none
METHODS = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
REFUSED = "This address is not for you, or its time is over. Open the one that the terminal shows."


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass
class Access:
    """What a request must know.

    Attributes:
        hosts: what header Host may say.
        cookie: its name. Cookies of a machine are the same for all ports, so it names the port.
        path: what all paths begin with, and end with "/" after it.
        token: the one that is printed; session: the value of the cookie; once: tokens that are good for one visit.
    """

    hosts: Collection[str]
    cookie: str
    path: str = field(default_factory=lambda: f"/{_secret()}")
    token: str = field(default_factory=_secret)
    session: str = field(default_factory=_secret)
    once: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, port: int) -> Access:
        """What is asked of those who come to a port of this machine."""
        names = ["127.0.0.1", "localhost", "[::1]"]
        bare = names if port == HTTP else []  # browsers leave that port out
        return cls([*(f"{name}:{port}" for name in names), *bare], f"inrcodec-{port}")

    def one_visit(self) -> str:
        """A token that is good for one visit."""
        token = _secret()
        self.once.add(token)
        return token

    def is_known(self, cookies: Iterable[str]) -> bool:
        """Whether one of the headers Cookie has the session."""
        found = [cookie_parser(text).get(self.cookie, "") for text in cookies]
        return any(_same(given, self.session) for given in found)

    def has(self, path: str) -> bool:
        """Whether a path begins as it must."""
        return _same(path[: len(self.path) + 1], f"{self.path}/")

    def is_from(self, origin: str) -> bool:
        """Whether an origin is this server's."""
        return origin.lower() in [f"http://{host}" for host in self.hosts]

    def admits(self, token: str) -> bool:
        """Whether a token is right. One that is good for one visit is not good again."""
        spent = {known for known in self.once if _same(token, known)}
        self.once -= spent
        return bool(spent) or _same(token, self.token)


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


class Guard:
    """An ASGI application that asks `access` before it hands a request on, and gives every answer the headers of HEADERS."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # WebSockets: there are none
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._answer(scope)
        if answer is None:
            inside = {**scope, "path": scope["path"].removeprefix(self.access.path)}
            await self.app(inside, receive, with_headers)
        else:
            await answer(scope, receive, with_headers)

    def _answer(self, scope: Scope) -> Response | None:
        """What is said to a request that is not handed on; None: it is."""
        headers = Headers(scope=scope)
        refused = PlainTextResponse(REFUSED, 403)
        if headers.getlist("host")[1:] or headers.get("host", "").lower() not in self.access.hosts or _is_foreign(headers):
            return refused
        if any(not self.access.is_from(origin) for origin in headers.getlist("origin")):
            return refused
        if scope["method"] not in METHODS:
            return PlainTextResponse("Only GET and HEAD are answered.", 405, {"allow": ", ".join(METHODS)})
        if not self.access.has(scope["path"]):
            return refused
        if self.access.is_known(headers.getlist("cookie")):
            return None
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get(PARAMETER, [])
        first = f"{self.access.path}/"
        if (scope["method"], scope["path"], len(tokens)) != ("GET", first, 1) or not self.access.admits(tokens[0]):
            return refused
        sent_on = RedirectResponse(first, 303)
        sent_on.set_cookie(self.access.cookie, self.access.session, path=first, httponly=True, samesite="strict")
        return sent_on


def _is_foreign(headers: Headers) -> bool:
    """Whether a page of another origin asks. A link that a user follows is none: it shows the page, and nothing of it to the other one."""
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document"
