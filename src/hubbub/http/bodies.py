"""Reads a request's body, within limits of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from hubbub.errors import Invalid, TooLarge

BODY_BYTES = 64 * 1024
BODY_TIMEOUT = 10.0


async def read_body(request: Request) -> bytes:
    """Raises `TooLarge` for a body over 64 KiB, `Invalid` for a body that is cut short or comes too late."""
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
        raise Invalid("the body ended before its length") from None  # the client is gone, and gets no answer
    return bytes(body)


def _too_large() -> TooLarge:
    return TooLarge(f"a body has at most {BODY_BYTES} bytes")
