"""Validated JSON: errors name the wrong field, and the connection stays open."""

from typing import Any

import pytest

from examples.validated_json import app
from tests.examples.conftest import Start


async def test_a_good_message_reaches_the_handler_as_a_model(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.send({"type": "order", "id": "1", "drink": "tea", "cups": 2})
        await alice.expect("ordered", id="1", price=5.0)


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("cups", {"drink": "tea", "cups": 0}),
        ("cups", {"drink": "tea", "cups": "two"}),
        ("cups", {"drink": "tea"}),
        ("drink", {"drink": "soup", "cups": 1}),
    ],
)
async def test_a_bad_message_gets_an_error_with_the_field_and_the_connection_stays_open(
    start: Start, field: str, order: dict[str, Any]
) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.send({"type": "order"} | order)
        error = await alice.expect("error", code="invalid", command="order")
        assert [entry["loc"] for entry in error["errors"]] == [[field]]
        assert error["message"].startswith(f"{field}: ")

        await alice.send({"type": "order", "drink": "coffee", "cups": 1})
        await alice.expect("ordered", price=2.5)


async def test_invalid_json_gets_an_error_and_the_connection_stays_open(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.send("{not json")
        await alice.expect("error", code="invalid")
        await alice.send({"type": "order", "drink": "coffee", "cups": 1})
        await alice.expect("ordered")
