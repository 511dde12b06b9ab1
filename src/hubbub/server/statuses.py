"""What an error of ours is in HTTP's words."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import JSONResponse

from hubbub.errors import (
    Conflict,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    RateLimited,
    RequestError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownType,
)

STATUS: dict[type[RequestError], int] = {
    Invalid: 400,
    UnknownType: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    RateLimited: 429,
    Internal: 500,
    Unavailable: 503,
}


def error_response(error: RequestError) -> JSONResponse:
    """An error as an HTTP answer: its status, `{code, message, …}`, and `Retry-After` in seconds where it may pass."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    headers = {}
    if error.errors:
        body["errors"] = list(error.errors)
    if error.retry_after is not None:
        body["retry_after"] = error.retry_after
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after / 1000)))
    return JSONResponse(body, STATUS[type(error)], headers)
