"""The routes: what `app.include_router(hub.router, prefix="/chat")` adds to an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request, WebSocket
from starlette.responses import JSONResponse, Response

from hubbub.errors import Invalid, RequestError
from hubbub.server.page import add_page
from hubbub.server.statuses import error_response
from hubbub.server.websocket import refuse
from hubbub.wire.keys import is_key

if TYPE_CHECKING:
    from hubbub.server.hubbub import Hubbub


def build_router(hub: Hubbub, *, page: bool) -> APIRouter:
    """All of a hub's routes. Its lifespan starts and stops the hub with the application that includes it."""
    router = APIRouter(lifespan=hub.lifespan)
    authenticated = Depends(hub.authenticate)

    @router.websocket("/ws")
    async def connect(websocket: WebSocket, account: Any = authenticated) -> None:
        await hub.door.serve(websocket, account)

    @router.websocket("/ws/chat")
    async def chat_in_default_room(websocket: WebSocket, account: Any = authenticated) -> None:
        await hub.door.serve(websocket, account, room=hub.node.settings.room_default)

    @router.websocket("/ws/chat/{room}")
    async def chat(websocket: WebSocket, room: str, account: Any = authenticated) -> None:
        if not is_key(room):
            await refuse(websocket, _not_a_room(room))
            return
        await hub.door.serve(websocket, account, room=room)

    @router.get("/ws", summary="Why a WebSocket is refused")
    @router.get("/ws/chat", include_in_schema=False)
    @router.get("/ws/chat/{room}", include_in_schema=False)
    async def explain(request: Request, room: str = "general", account: Any = authenticated) -> Response:
        """A browser cannot read why its WebSocket was refused. The same address, asked by GET, gives the same status
        and body; 426 if the handshake would be accepted."""
        try:
            if not is_key(room):
                raise _not_a_room(room)
            hub.door.try_handshake(request, account)
        except RequestError as error:
            return error_response(error)
        body = {"code": "upgrade_required", "message": "this address speaks WebSocket (RFC 6455)"}
        return JSONResponse(body, 426, {"Upgrade": "websocket", "Connection": "Upgrade"})

    @router.get("/health/live", tags=["operations"])
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/health/ready", tags=["operations"])
    async def ready() -> Response:
        """New clients are welcome here; 503 while the server starts or drains, or other nodes do not hear it."""
        problem = hub.problem()
        return JSONResponse({"status": problem or "ok"}, 503 if problem else 200)

    if page:
        add_page(router)
    return router


def _not_a_room(room: str) -> Invalid:
    message = f"{room[:64]!r} is no room key: 1 to 64 of A-Z a-z 0-9 _ . : @ | -, beginning with a letter or digit"
    return Invalid(message, errors=[{"loc": ["room"], "msg": message, "type": "key"}])
