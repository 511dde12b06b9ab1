"""Turns our errors into HTTP answers."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

from hubbub.errors import RequestError
from hubbub.wire.codes import ERROR_MEANINGS, ErrorCode, error_meaning


class HubbubRefusal(BaseModel):
    """The body of a refusal, as OpenAPI shows it. No application has a model of this name, so references to it hold."""

    code: str
    message: str
    errors: list[dict[str, Any]] | None = None
    retry_after: int | None = None


_CONTENT = {"application/json": {"schema": {"$ref": f"#/components/schemas/{HubbubRefusal.__name__}"}}}

OTHERWISE = {
    "4XX": {
        "content": _CONTENT,
        "description": "Any other refusal. An application's own login may say it in words of its own.",
    }
}
"""FastAPI would describe a 422 of its own, which no route of ours answers, if this did not say what 4XX looks like."""


def documented(*errors: type[RequestError]) -> dict[int | str, dict[str, Any]]:
    """The errors with which a route may refuse, for its `responses` in OpenAPI. Any route may answer `internal`.

    They refer to the model, which `add_socket` describes. FastAPI makes a serializer for each model that a route names,
    and half of a server's start was spent on this one.
    """
    by_status: dict[int | str, list[str]] = {}
    for code in (*(ErrorCode(error.code) for error in errors), ErrorCode.INTERNAL):
        by_status.setdefault(ERROR_MEANINGS[code].status, []).append(f"`{code}`")
    return OTHERWISE | {
        status: {"content": _CONTENT, "description": " or ".join(codes)} for status, codes in by_status.items()
    }


def error_response(error: RequestError) -> JSONResponse:
    """An error as an HTTP answer: its status, `{code, message, …}`, and `Retry-After` in seconds if a later request may
    succeed."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    headers = {}
    if error.errors:
        body["errors"] = list(error.errors)
    if error.retry_after is not None:
        body["retry_after"] = error.retry_after
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after / 1000)))
    return JSONResponse(body, error_meaning(error).status, headers)
