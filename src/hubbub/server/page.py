"""The web client's files, and the headers under which a browser shows them.

The files are few and known when the server starts, so each has a route of its own and no request ever names a path
in the file system.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

DIRECTORY = Path(__file__).with_name("page")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

NOT_BUILT = "The web client is not built. `scripts/serve` builds it, and so does `npm ci && npm run build` in web/.\n"


def add_page(router: APIRouter, directory: Path = DIRECTORY) -> None:
    """Serve the web client at the router's root. Its addresses are relative, so any prefix will do."""
    index = directory / "index.html"
    if not index.is_file():
        router.add_api_route("/", _not_built, include_in_schema=False)
        return
    _add_file(router, "/", index, cache="no-cache")
    for file in sorted(directory.rglob("*")):
        if file.is_file() and file != index:
            name = file.relative_to(directory).as_posix()
            # The build names what is in assets/ after its contents.
            cache = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
            _add_file(router, f"/{name}", file, cache=cache)


def _add_file(router: APIRouter, path: str, file: Path, *, cache: str) -> None:
    content = file.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    headers = HEADERS | {"ETag": tag, "Cache-Control": cache}

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    router.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)


async def _not_built() -> Response:
    return PlainTextResponse(NOT_BUILT, status_code=503)
