"""A notification as it comes by HTTP: JSON, a form, or query parameters, whatever the publisher's tool sends best."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from hubbub.errors import Invalid, TooLarge
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import Data, invalid_fields
from hubbub.wire.events import Level
from hubbub.wire.keys import Text, Title

BODY_BYTES = 64 * 1024
BODY_TIMEOUT = 10.0


class Notice(BaseModel):
    title: Title
    message: Text = ""
    level: Level = "info"
    data: Data | None = None


class Published(BaseModel):
    sent: int


async def read_notice(request: Request) -> Notice:
    """Raises `Invalid` with the field named, `TooLarge` for a body over 64 KiB."""
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


async def read_body(request: Request) -> bytes:
    """Raises `TooLarge` for a body over 64 KiB, `Invalid` for one that does not come whole and in time."""
    body = bytearray()
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise Invalid(f"the body did not come within {BODY_TIMEOUT:.0f} seconds") from None
    except ClientDisconnect:
        raise Invalid("the body ended before its length") from None  # which nobody hears
    return bytes(body)


def _too_large() -> TooLarge:
    return TooLarge(f"a body has at most {BODY_BYTES} bytes")
