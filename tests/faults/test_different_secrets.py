"""Nodes that share a database accept each other's guests, or do not start."""

import pytest

from tests.conftest import ServerFactory
from tests.people import person

SECRET = "a secret that all nodes have, of 41 letters"
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

    for differing in (NO_SECRET, {"HUBBUB_SECRET": "another secret, which has 40 letters or so"}):
        with pytest.raises(AssertionError, match="ended with status 2") as refused:
            serve("--data-dir", "two", environment=environment | differing)
        assert "HUBBUB_PREVIOUS_SECRET" in str(refused.value)
        assert SECRET not in str(refused.value)
        assert "Traceback" not in str(refused.value)
