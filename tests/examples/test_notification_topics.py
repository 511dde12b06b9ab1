"""Notification topics: followers are notified, with the level that the publisher chose."""

import httpx
import pytest

from examples.notification_topics import app
from tests.examples.conftest import Start


@pytest.mark.parametrize("level", ["info", "success", "warning", "error"])
async def test_a_notification_by_http_reaches_the_followers(start: Start, level: str) -> None:
    server = await start(app)
    async with (
        server.connect("/ws/notify/alerts.disk") as alice,
        server.connect("/ws/notify/alerts.*") as bob,
        server.connect("/ws/notify/deploys") as carol,
        httpx.AsyncClient(base_url=server.url) as publisher,
    ):
        for client in (alice, bob, carol):
            await client.expect("following")

        answer = await publisher.post("/notify/alerts.disk", data={"title": "Disk is full", "level": level})
        assert answer.json() == {"sent": 2}
        for client in (alice, bob):
            await client.expect("notification", topic="alerts.disk", title="Disk is full", level=level)

        # Deliveries are in order, so carol's first notification is also her only one.
        await publisher.post("/deploy/v2")
        await carol.expect("notification", title="v2 is live", level="success")
        assert not [event for event in carol.seen if event["type"] == "notification"]


async def test_an_unknown_level_is_refused_and_the_error_names_the_field(start: Start) -> None:
    server = await start(app)
    async with httpx.AsyncClient(base_url=server.url) as publisher:
        answer = await publisher.post("/notify/alerts", json={"title": "Hm", "level": "loud"})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["level"]
