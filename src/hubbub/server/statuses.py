"""What an error of ours is in HTTP's words."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel
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


class Refusal(BaseModel):
    """The body of an answer that refuses, as OpenAPI shows it."""

    code: str
    message: str
    errors: list[dict[str, Any]] | None = None
    retry_after: int | None = None


def documented(*errors: type[RequestError]) -> dict[int | str, dict[str, Any]]:
    """What a route may be refused with, for its `responses` in OpenAPI. `Internal` may happen anywhere."""
    by_status: dict[int | str, list[str]] = {}
    refusing: tuple[type[RequestError], ...] = (*errors, Internal)
    for error in refusing:
        by_status.setdefault(STATUS[error], []).append(f"`{error.code}`")
    return {status: {"model": Refusal, "description": " or ".join(codes)} for status, codes in by_status.items()}


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
