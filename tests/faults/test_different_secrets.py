"""Nodes that share a database, or only Redis, accept each other's guests, or do not start."""

import pytest

from tests.conftest import ServerFactory
from tests.people import person
from tests.servers import Redis

pytestmark = pytest.mark.slow(3)

SECRET = "a secret that all nodes have, of 41 letters"
ANOTHER = "another secret, which has 40 letters or so"
NO_SECRET: dict[str, str] = {}


@pytest.mark.parametrize("given", [NO_SECRET, {"HUBBUB_SECRET": SECRET}], ids=["kept in the database", "given"])
async def test_a_guest_of_one_node_has_the_same_key_on_another(
    given: dict[str, str], postgres: str, serve: ServerFactory
) -> None:
    environment = {"HUBBUB_DATABASE_URL": postgres} | given
    one, two = (serve("--data-dir", name, environment=environment) for name in ("one", "two"))
    async with person(one, "alice") as alice:
        await alice.join("hall")
        await alice.say("hall", "hello")
        secret = alice.seen[0]["secret"]

    async with person(two, "alice", secret=secret) as alice, person(one, "alice") as stranger:
        assert alice.key == "alice"
        assert stranger.key != "alice"


async def test_a_node_whose_secret_differs_says_so_and_does_not_start(postgres: str, serve: ServerFactory) -> None:
    environment = {"HUBBUB_DATABASE_URL": postgres}
    serve("--data-dir", "one", environment=environment | {"HUBBUB_SECRET": SECRET})

    for differing in (NO_SECRET, {"HUBBUB_SECRET": ANOTHER}):
        with pytest.raises(AssertionError, match="ended with status 2") as refused:
            serve("--data-dir", "two", environment=environment | differing)
        assert "HUBBUB_PREVIOUS_SECRET" in str(refused.value)
        assert SECRET not in str(refused.value)
        assert "Traceback" not in str(refused.value)


@pytest.fixture
def only_redis(redis: Redis) -> dict[str, str]:
    """What nodes that store nothing have in common."""
    return {"HUBBUB_DATABASE_URL": "none", "HUBBUB_BROKER_URL": redis.url}


async def test_a_node_that_shares_only_redis_and_whose_secret_differs_does_not_start(
    only_redis: dict[str, str], redis: Redis, serve: ServerFactory
) -> None:
    serve("--data-dir", "one", environment=only_redis | {"HUBBUB_SECRET": SECRET})

    for differing in (NO_SECRET, {"HUBBUB_SECRET": ANOTHER}):
        with pytest.raises(AssertionError, match="ended with status 2") as refused:
            serve("--data-dir", "two", environment=only_redis | differing)
        assert "the other nodes have another HUBBUB_SECRET than this one" in str(refused.value)
        assert SECRET not in str(refused.value)
        assert "Traceback" not in str(refused.value)
    serve("--data-dir", "three", environment=only_redis | {"HUBBUB_SECRET": SECRET})
    kept = redis.ask("GET", "hubbub:names:secret")
    assert len(kept) == 32
    assert SECRET.encode() not in kept


async def test_nodes_that_share_only_redis_change_their_secret_one_after_the_other(
    only_redis: dict[str, str], serve: ServerFactory
) -> None:
    first = serve("--data-dir", "one", environment=only_redis | {"HUBBUB_SECRET": SECRET})
    async with person(first, "alice") as alice:
        secret = alice.seen[0]["secret"]
    both = {"HUBBUB_SECRET": ANOTHER, "HUBBUB_PREVIOUS_SECRET": SECRET}
    second = serve("--data-dir", "two", environment=only_redis | both)
    first.stop()

    async with person(second, "alice", secret=secret) as alice:
        changed = alice.seen[0]["secret"]
    third = serve("--data-dir", "three", environment=only_redis | {"HUBBUB_SECRET": ANOTHER})
    async with person(third, "alice", secret=changed) as alice:
        assert alice.key == "alice"


async def test_nodes_that_share_only_redis_and_made_their_secrets_say_what_guests_lose(
    only_redis: dict[str, str], serve: ServerFactory
) -> None:
    one, two = (serve("--data-dir", name, environment=only_redis) for name in ("one", "two"))
    beside_one = serve("--data-dir", "two", environment=only_redis)

    assert "guests who were on another node" not in one.log
    assert "guests who were on another node" in two.log
    assert "guests who were on another node" not in beside_one.log
