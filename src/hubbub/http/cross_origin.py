"""What pages of other origins may read of this server's answers: CORS (the Fetch standard, section 3.3).

Pages of allowed origins may read all answers. A refused page may read only why it was refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubbub.errors import Forbidden, Invalid, RequestError
from hubbub.http.admission import hide_credentials
from hubbub.http.error_responses import error_response
from hubbub.http.mounted import Mounted
from hubbub.http.origins import Origins

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
PREFLIGHT_SECONDS = 600


def route_for_pages(hub: Mounted) -> type[APIRoute]:
    """The class of the routes that pages of other origins use. They check the origin before they ask who the user is.
    If they raise a `RequestError`, the answer has its status; so it is if a parameter of theirs is wrong."""

    class PagesRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            # An application's own login may have parameters too. What is wrong with those is its own affair.
            ours = {field.alias for field in (*self.dependant.query_params, *self.dependant.path_params)}

            async def handle_or_refuse(request: Request) -> Response:
                try:
                    return await handle(request)
                except RequestError as error:
                    return error_response(error)
                except RequestValidationError as error:
                    found = error.errors()
                    if not all(entry["loc"][0] in {"query", "path"} and entry["loc"][-1] in ours for entry in found):
                        raise
                    return error_response(Invalid(f"{found[0]['loc'][-1]}: {found[0]['msg'].lower()}"))

            return handle_or_refuse

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            await answer_page(hub.admissions.origins, super().handle, scope, receive, send)

    return PagesRoute


async def answer_page(origins: Origins, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer an HTTP request. An allowed page may read the answer; another page may read why it is not allowed.

    Every page may read the refusal itself, but only of a request without credentials. If the application has a CORS
    middleware of its own, that sets the same headers later and so replaces these.
    """
    connection = HTTPConnection(scope)
    origin = connection.headers.get("origin")
    requested = connection.headers.get("access-control-request-method") if scope["method"] == "OPTIONS" else None
    shared: dict[str, str] = {}
    if origin is not None:
        try:
            if origins.check(connection):
                shared = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
        except Forbidden as error:
            response: Response = error_response(error)
            response.headers["Vary"] = "Origin"
            if requested is None:
                response.headers["Access-Control-Allow-Origin"] = origin
            hide_credentials(connection)
            await response(scope, receive, send)
            return
        if requested is not None:
            await _preflight(connection, shared)(scope, receive, send)
            return
    await app(scope, receive, _sharing(send, shared))


def _preflight(connection: HTTPConnection, shared: dict[str, str]) -> Response:
    """Answer a preflight: what the page may send. The origin of the request that follows is checked again."""
    headers = {"Vary": "Origin, Access-Control-Request-Headers"}
    if shared:
        headers |= shared | {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }
        # Any header, because an application's own login may read it.
        if asked := connection.headers.get("access-control-request-headers"):
            headers["Access-Control-Allow-Headers"] = asked
    return Response(status_code=204, headers=headers)


def _sharing(send: Send, shared: dict[str, str]) -> Callable[[Message], Awaitable[None]]:
    async def send_shared(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("Origin")
            if shared:
                headers.update(shared)
                headers["Access-Control-Expose-Headers"] = "Retry-After"
        await send(message)

    return send_shared
