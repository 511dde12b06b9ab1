"""The web client's files, and the headers under which a browser shows them.

There are few files, and they are read when the server starts. So no request names a path in the file system.
"""

from __future__ import annotations

import hashlib
import html
import mimetypes
from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from hubbub.wire.keys import is_key

DIRECTORY = Path(__file__).with_name("page")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_ASSETS = "assets/"
"""Where the build puts what only the page names."""

_HEADERS_OF_PARTS = {"X-Content-Type-Options": "nosniff"}
"""Of scripts, style sheets and icons. The other headers are about documents and workers, and cost 0.3 KB a file."""

_CODINGS = {"br": ".br", "gzip": ".gz"}
"""The codings that copies may have, the best first, and how the files end."""
_MEDIA_TYPES = {".ico": "image/vnd.microsoft.icon", ".webmanifest": "application/manifest+json"}
"""Those that not every system knows."""

NOTHING_HERE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Nothing here · Hubbub</title>
  </head>
  <body>
    <h1>There is nothing at this address</h1>
    <p><a href="{address}">{words}</a></p>
  </body>
</html>
"""

NOT_BUILT = "The web client is not built. `scripts/serve` builds it, and so does `npm ci && npm run build` in web/.\n"


def add_page(router: APIRouter, directory: Path = DIRECTORY) -> None:
    """Serve the web client at the router's root. Its addresses are relative, so any prefix works."""
    index = directory / "index.html"
    if not index.is_file():
        router.add_api_route("/", _not_built, include_in_schema=False)
        return
    _add_file(router, "/", _File(index, HEADERS | {"Cache-Control": "no-cache"}))
    assets: dict[str, _File] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path != index and path.suffix not in _CODINGS.values():
            name = path.relative_to(directory).as_posix()
            file = _File(path, _headers_of(name))
            if name.startswith(_ASSETS):
                assets[name.removeprefix(_ASSETS)] = file
            else:
                _add_file(router, f"/{name}", file)

    async def serve_asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404)
        return assets[name].answer(request)

    # One route for all of them: a route takes a millisecond to make.
    router.add_api_route(f"/{_ASSETS}{{name:path}}", serve_asset, methods=["GET", "HEAD"], include_in_schema=False)


def _headers_of(name: str) -> dict[str, str]:
    if name.startswith(_ASSETS):
        # The build names them by their contents.
        return _HEADERS_OF_PARTS | {"Cache-Control": "public, max-age=31536000, immutable"}
    if name.endswith((".svg", ".png", ".ico")):
        # The page and the browser both ask for an icon, at each start.
        return _HEADERS_OF_PARTS | {"Cache-Control": "public, max-age=3600"}
    return HEADERS | {"Cache-Control": "no-cache"}


class _File:
    """A file, and the compressed copies that the build has put beside it."""

    def __init__(self, path: Path, headers: Mapping[str, str]) -> None:
        self._media_type = (
            _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        )
        self._content = path.read_bytes()
        self._digest = hashlib.sha256(self._content).hexdigest()[:32]
        self._copies = {
            coding: copy.read_bytes()
            for coding, suffix in _CODINGS.items()
            if (copy := path.with_name(path.name + suffix)).is_file()
        }
        self._headers = {**headers} | ({"Vary": "Accept-Encoding"} if self._copies else {})

    def answer(self, request: Request) -> Response:
        coding = next((one for one in self._copies if one in _accepted_codings(request)), None)
        # Each copy has a tag of its own, since a strong tag names bytes (RFC 9110, section 8.8.3).
        tag = f'"{self._digest}"' if coding is None else f'"{self._digest}-{coding}"'
        headers = self._headers | {"ETag": tag}
        if tag in request.headers.get("if-none-match", "").replace(",", " ").replace("W/", "").split():
            return Response(status_code=304, headers=headers)
        if coding is None:
            return Response(self._content, media_type=self._media_type, headers=headers)
        return Response(
            self._copies[coding], media_type=self._media_type, headers=headers | {"Content-Encoding": coding}
        )


def _add_file(router: APIRouter, path: str, file: _File) -> None:
    async def serve(request: Request) -> Response:
        return file.answer(request)

    router.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)


def _accepted_codings(request: Request) -> set[str]:
    """The codings that a client names in `Accept-Encoding`, without those that it refuses by a weight of 0."""
    accepted = set()
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";q=")
        if weight.strip("0.") or not weight:
            accepted.add(coding)
    return accepted


async def say_nothing_is_here(request: Request, error: Exception) -> Response:
    """An application's handler for 404: people in a browser get a page with a link to the chat, and programs get
    JSON."""
    assert isinstance(error, HTTPException)
    if "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    address, words = f"{request.scope.get('root_path', '')}/", "To the chat"
    room = request.url.path.rstrip("/").rpartition("/")[2]
    if is_key(room):
        # People guess that each room has its own address.
        address, words = f"{address}#{room}", f"To the room “{room}”"
    return HTMLResponse(NOTHING_HERE.format(address=html.escape(address), words=words), 404, headers=HEADERS)


async def _not_built() -> Response:
    return PlainTextResponse(NOT_BUILT, status_code=503)
