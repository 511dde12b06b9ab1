"""The clocks of two nodes differ by a minute: nothing is ordered, kept or ended by them."""

from pathlib import Path

import pytest

from tests.cluster.conftest import ENVIRONMENT
from tests.cluster.views import messages
from tests.conftest import ServerFactory
from tests.people import person
from tests.servers import Redis

pytestmark = pytest.mark.slow(5)


async def test_people_on_nodes_whose_clocks_differ_see_one_order_and_each_other(
    postgres: str, redis: Redis, serve: ServerFactory, faketime: Path
) -> None:
    common = {**ENVIRONMENT, "HUBBUB_DATABASE_URL": postgres, "HUBBUB_BROKER_URL": redis.url, "HUBBUB_HEARTBEAT": "1"}
    behind, ahead = (
        serve(
            environment=common | {"LD_PRELOAD": str(faketime), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        )
        for clock in ("-30s", "+30s")
    )
    async with person(ahead, "alice") as alice, person(behind, "bob") as bob:
        await alice.join("hall")
        joined = await bob.join("hall")
        acks = [await (alice, bob)[number % 2].say("hall", f"{number}") for number in range(10)]
        texts = [str(number) for number in range(10)]

        for somebody in (alice, bob):
            assert [message["text"] for message in await messages(somebody, 10)] == texts
        assert [ack["seq"] for ack in acks] == list(range(1, 11))
        assert acks[0]["ts"] > acks[1]["ts"]
        await bob.send({"type": "typing", "room": "hall"})
        await alice.expect("typing", user="bob")
        # Three heartbeats later nobody was sent away, and what was missed is found by its number.
        await bob.gather("ping", 3)
        again = await bob.ask({"type": "join", "rooms": [{"room": "hall", "rev": 5, "epoch": joined["epoch"]}]})
        assert [message["text"] for message in again["messages"]] == texts[5:]
