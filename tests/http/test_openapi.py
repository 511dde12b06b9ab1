"""The REST API's description names each status that a client meets."""

import httpx
import pytest
from fastapi import FastAPI

from hubbub import Hubbub, User
from hubbub.testing import serving


def policy(user: User, action: str, where: str) -> bool:
    return where != "cellar"


@pytest.mark.parametrize(
    ("method", "path", "address", "status"),
    [
        ("get", "/ws", "/ws", 426),
        ("get", "/ws", "/ws?username=" + "x" * 65, 400),
        ("get", "/ws", "/ws?username=system", 409),
        ("get", "/api/v1/rooms/{room}/messages", "/api/v1/rooms/kitchen/messages", 200),
        ("get", "/api/v1/rooms/{room}/messages", "/api/v1/rooms/kitchen/messages?before=soon", 400),
        ("get", "/api/v1/rooms/{room}/messages", "/api/v1/rooms/cellar/messages", 403),
        ("get", "/api/v1/rooms", "/api/v1/rooms", 200),
        ("get", "/api/v1/rooms", "/api/v1/rooms?limit=many", 400),
        ("get", "/api/v1/rooms/{room}/online", "/api/v1/rooms/kitchen/online", 200),
        ("get", "/api/v1/rooms/{room}/online", "/api/v1/rooms/-/online", 400),
        ("get", "/api/v1/rooms/{room}/online", "/api/v1/rooms/cellar/online", 403),
        ("post", "/notify/{topic}", "/notify/orders?title=Shipped", 200),
        ("post", "/notify/{topic}", "/notify/orders", 400),
        ("post", "/notify/{topic}", "/notify/cellar?title=Shipped", 403),
        ("post", "/api/v1/app/rooms/{room}/messages", "/api/v1/app/rooms/kitchen/messages", 401),
        ("post", "/api/v1/app/users/{user}/events", "/api/v1/app/users/alice/events", 401),
        ("post", "/api/v1/app/topics/{topic}/notifications", "/api/v1/app/topics/orders/notifications", 401),
        ("get", "/health/ready", "/health/ready", 200),
    ],
)
async def test_every_status_is_documented(method: str, path: str, address: str, status: int) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", policy=policy).router)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.request(method, address)
        documented = (await client.get("/openapi.json")).json()["paths"][path][method]["responses"]

    assert answer.status_code == status
    assert str(status) in documented
    if status >= 400:
        assert documented[str(status)]["content"]["application/json"]["schema"]["$ref"].endswith("/HubbubRefusal")
        assert set(answer.json()) <= {"code", "message", "errors", "retry_after"}


async def test_wrong_parameters_are_described_as_they_are_refused() -> None:
    """FastAPI would describe a 422 with a body of its own."""
    app = FastAPI()
    app.include_router(Hubbub(guests="on").router)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url) as client:
        description = (await client.get("/openapi.json")).json()

    operations = [operation for path in description["paths"].values() for operation in path.values()]
    assert operations
    assert [operation["operationId"] for operation in operations if "422" in operation["responses"]] == []
    assert "HTTPValidationError" not in description["components"]["schemas"]
    others = {
        operation["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"]
        for operation in operations
        if "4XX" in operation["responses"]
    }
    assert others == {"#/components/schemas/HubbubRefusal"}
