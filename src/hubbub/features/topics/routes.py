"""The WebSocket address of a topic, and the route for publishing to it. It takes JSON, form fields or query parameters,
since programs differ in what they can send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, WebSocket
from pydantic import BaseModel, ValidationError
from starlette.requests import HTTPConnection

from hubbub.errors import Forbidden, Invalid, RateLimited, TooLarge, Unauthenticated, Unavailable
from hubbub.http.admission import is_at_home
from hubbub.http.bodies import read_body
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.http.socket_routes import add_socket, check_key
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import invalid_fields
from hubbub.wire.data import Data
from hubbub.wire.keys import Text, Title, is_topic_pattern
from hubbub.wire.topics import Follow, Level

if TYPE_CHECKING:
    from hubbub.features.topics.feature import TopicsFeature


class Notice(BaseModel):
    title: Title
    message: Text = ""
    level: Level = "info"
    data: Data | None = None


class Published(BaseModel):
    sent: int


def add_routes(router: APIRouter, hub: Mounted, feature: TopicsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    async def notifications(websocket: WebSocket, account: Any) -> None:
        await hub.door.serve(websocket, account, first=Follow(topic=websocket.path_params["topic"]))

    add_socket(
        router,
        hub,
        "/ws/notify/{topic}",
        notifications,
        check=_names_a_topic,
        also=("notification", "notifications"),
        is_name=is_topic_pattern,
    )

    @router.post(
        "/notify/{topic}",
        tags=["topics"],
        response_model=Published,
        responses=documented(Invalid, Unauthenticated, Forbidden, TooLarge, RateLimited, Unavailable),
    )
    async def notify(request: Request, topic: str, account: Any = authenticated) -> Published:
        """Publish a notification to everybody who follows the topic. Send `title`, `message`, `level` and `data` as
        JSON, as form fields or as query parameters. The answer says to how many connections it was sent. If the
        application has no login of its own, this needs an API key with the scope `topics:publish`, except from the
        server's own machine."""
        user = await hub.user_of(request, account)
        if hub.credentials is not None and user.scopes is None and not is_at_home(request):
            raise Unauthenticated(
                "this needs an API key with the scope `topics:publish` (`Authorization: Bearer hb_...`), except from "
                "the server's own machine"
            )
        notice = await read_notice(request)
        return Published(sent=await feature.notifications.publish(user, topic, **notice.model_dump()))

    @router.post(
        "/api/v1/app/topics/{topic}/notifications",
        tags=["programs"],
        response_model=Published,
        responses=documented(Invalid, Unauthenticated, Forbidden, TooLarge, RateLimited, Unavailable),
    )
    async def notify_as_application(request: Request, topic: str) -> Published:
        """The same as `POST /notify/{topic}`, as the application, with an API key that has the scope
        `topics:publish`."""
        await hub.admissions.check_api_key(request, "topics:publish")
        notice = await read_notice(request)
        return Published(sent=await feature.notifications.publish(None, topic, **notice.model_dump()))


def _names_a_topic(connection: HTTPConnection) -> None:
    check_key(connection, "topic", is_valid=is_topic_pattern)


async def read_notice(request: Request) -> Notice:
    """Raises `Invalid`, which names the field, and `TooLarge` for a body over 64 KiB."""
    fields: dict[str, Any] = dict(request.query_params)
    body = await read_body(request)
    if body:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            fields |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        else:
            content = JSON_CODEC.decode(body)
            if not isinstance(content, dict):
                raise Invalid('the body must be one JSON object: {"title": …}')
            fields |= content
    if isinstance(fields.get("data"), str):
        fields["data"] = JSON_CODEC.decode(fields["data"])
    try:
        return Notice.model_validate(fields)
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None
