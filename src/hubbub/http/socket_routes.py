"""WebSocket addresses. Each has two routes: one for handshakes, and one for `GET`, which says why one is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request, WebSocket
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from hubbub.errors import Conflict, Forbidden, Invalid, RateLimited, RequestError, Unauthenticated, Unavailable
from hubbub.http.admission import hide_credentials
from hubbub.http.error_responses import HubbubRefusal, documented
from hubbub.http.mounted import Mounted
from hubbub.http.socket_address import IsName, SocketAddress
from hubbub.http.socket_endpoint import awaits_answer, refuse
from hubbub.wire.keys import is_key

Serve = Callable[[WebSocket, Any], Awaitable[None]]
"""Serves a WebSocket. The second argument is what the application's login returned, None for nobody."""
Check = Callable[[HTTPConnection], None]
"""Raises a `RequestError` if the address cannot be served."""

_UPGRADE_REQUIRED = {"code": "upgrade_required", "message": "this address speaks WebSocket (RFC 6455)"}


def add_socket(
    router: APIRouter,
    hub: Mounted,
    path: str,
    serve: Serve,
    *,
    check: Check | None = None,
    also: Sequence[str] = (),
    is_name: IsName = is_key,
    is_documented: bool = False,
) -> None:
    """Add a WebSocket address. `check` is called before the user is admitted. With `is_documented`, the OpenAPI page
    shows the answers to `GET`.

    Who asks for an address that does not exist is told the nearest one. `also` are words that people write in place of
    this address's own, and `is_name` says what can stand in its placeholder.
    """
    hub.sockets.append(SocketAddress(path, also, is_name))
    router.add_api_websocket_route(path, _endpoint(hub, serve, check), name=serve.__name__)

    @router.get(
        path,
        summary="Why a WebSocket is refused",
        status_code=426,
        responses={
            426: {"model": HubbubRefusal, "description": "A handshake would be accepted."},
            **documented(Invalid, Unauthenticated, Forbidden, Conflict, RateLimited, Unavailable),
        },
        include_in_schema=is_documented,
    )
    async def explain(request: Request, account: Any = Depends(hub.authenticate)) -> Response:
        """A browser cannot read why its WebSocket was refused. A GET of the same address has the same status and body;
        426 if the handshake would be accepted."""
        hide_credentials(request)
        if check is not None:
            check(request)
        await hub.door.try_handshake(request, account)
        return JSONResponse(_UPGRADE_REQUIRED, 426, {"Upgrade": "websocket", "Connection": "Upgrade"})


def _endpoint(hub: Mounted, serve: Serve, check: Check | None) -> Callable[..., Awaitable[None]]:
    """`serve` as FastAPI calls it. Without a login of the application it has no dependency: to solve one costs time at
    each connect."""

    async def serve_if_possible(websocket: WebSocket, account: Any) -> None:
        if not awaits_answer(websocket):
            return
        if check is not None:
            try:
                check(websocket)
            except RequestError as error:
                await refuse(websocket, error)
                return
        await serve(websocket, account)

    credentials = hub.credentials
    if credentials is not None:

        async def serve_shown(websocket: WebSocket) -> None:
            try:
                account = await credentials.read(websocket)
            except RequestError as error:
                await refuse(websocket, error)
                return
            await serve_if_possible(websocket, account)

        return serve_shown

    async def serve_account(websocket: WebSocket, account: Any = Depends(hub.authenticate)) -> None:
        await serve_if_possible(websocket, account)

    return serve_account


def not_a_key(field: str, value: str) -> Invalid:
    message = f"{value[:64]!r} is no key: 1 to 64 of A-Z a-z 0-9 _ . : @ | -, beginning with a letter or digit"
    return Invalid(f"{field}: {message}", errors=[{"loc": [field], "msg": message, "type": "key"}])


def check_key(connection: HTTPConnection, field: str, *, is_valid: Callable[[str], bool] = is_key) -> None:
    """Raises `Invalid` if this part of the address is no key."""
    value = connection.path_params[field]
    if not is_valid(value):
        raise not_a_key(field, value)
