"""An application's own error is answered like its base class, by socket and by HTTP."""

from typing import Literal

import httpx
import pytest
from fastapi import FastAPI

from hubbub import Command, Conflict, Connection, Hubbub, NotFound, RateLimited, User
from hubbub.errors import RequestError
from hubbub.testing import serving
from hubbub.wire.codes import ERROR_MEANINGS, ErrorCode, error_meaning, may_retry


class Gone(NotFound):
    """It has the code of its base class."""


class SoldOut(Conflict):
    code = "sold_out"


class TryTomorrow(RateLimited):
    code = "try_tomorrow"


class Order(Command):
    type: Literal["order"] = "order"
    room: str


ERRORS = {"gone": Gone("no such dish"), "sold-out": SoldOut("no more soup", errors=[{"loc": ["room"]}])}


def policy(user: User, action: str, where: str) -> bool:
    if where in ERRORS:
        raise ERRORS[where]
    return True


@pytest.mark.parametrize(("room", "code", "status"), [("gone", "not_found", 404), ("sold-out", "sold_out", 409)])
async def test_a_client_is_told_the_applications_own_code(room: str, code: str, status: int) -> None:
    hub = Hubbub(guests="on", policy=policy)

    @hub.command
    def order(connection: Connection, order: Order) -> None:
        raise ERRORS[order.room]

    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server:
        async with server.connect("/ws?username=alice") as alice:
            for command in ("order", "join"):
                await alice.send({"type": command, "room": room, "id": command})
                error = await alice.expect("error", id=command)
                assert (error["command"], error["room"], error["code"]) == (command, room, code)
                assert error.get("errors") == ERRORS[room].errors
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.get(f"/api/v1/rooms/{room}/messages")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (Gone(""), ErrorCode.NOT_FOUND),
        (SoldOut(""), ErrorCode.CONFLICT),
        (TryTomorrow(""), ErrorCode.RATE_LIMITED),
        (RequestError(""), ErrorCode.INTERNAL),
    ],
)
def test_an_own_error_means_what_its_base_class_means(error: RequestError, meaning: ErrorCode) -> None:
    assert error_meaning(error) is ERROR_MEANINGS[meaning]


def test_a_client_does_not_retry_after_an_unknown_code() -> None:
    assert may_retry("unavailable")
    assert not may_retry("sold_out")
