"""Connections end when their identity does: it expires, or it is revoked, here or on another node."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from hubbub import Authenticated, Hubbub, Settings, User
from hubbub.accounts.access_changes import AccessKind
from hubbub.features.access.feature import AccessFeature
from hubbub.testing import TestServer, serving
from tests.waiting import eventually

REVOKED = (4401, "the identity was revoked")


def hub_of(login: object, **options: object) -> Hubbub:
    return Hubbub(authenticate=login, page=False, settings=Settings(database_url=SecretStr("none")), **options)  # type: ignore[arg-type]


def host(hub: Hubbub) -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router)
    return app


async def login(connection: HTTPConnection) -> Authenticated:
    query = connection.query_params
    expires = time.time() + float(query["for"]) if "for" in query else None
    return Authenticated(User(query["user"], query["user"]), expires=expires, session=query.get("session"))


@pytest.fixture(params=[False, True], ids=["ours", "plain"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Hubbub, TestServer]]:
    hub = hub_of(login)
    async with serving(host(hub), plain=request.param) as server:
        yield hub, server


async def test_a_revoked_user_is_closed_on_every_device_and_nobody_else(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    async with (
        server.connect("/ws?user=alice") as phone,
        server.connect("/ws?user=Alice") as laptop,
        server.connect("/ws?user=bob") as bob,
    ):
        for client in (phone, laptop, bob):
            await client.expect("welcome")

        await hub.users("ALICE").revoke()

        assert await phone.closed() == await laptop.closed() == REVOKED
        await bob.send({"type": "ping", "id": "1"})
        await bob.expect("pong", id="1")


async def test_a_revoked_user_may_come_back_with_a_new_login(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    await hub.users("alice").revoke()

    async with server.connect("/ws?user=alice") as alice:
        await alice.expect("welcome")


async def test_a_session_that_ends_takes_its_connections_with_it(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    async with (
        server.connect("/ws?user=alice&session=1") as first,
        server.connect("/ws?user=alice&session=2") as second,
    ):
        await first.expect("welcome")
        await second.expect("welcome")

        hub.node.feature(AccessFeature).changes.tell_of(AccessKind.SESSION, "1")

        assert await first.closed() == REVOKED
        await second.send({"type": "ping", "id": "1"})
        await second.expect("pong", id="1")


async def test_an_identity_that_expires_closes_its_connection(served: tuple[Hubbub, TestServer]) -> None:
    _, server = served
    async with server.connect("/ws?user=alice&for=1.5") as alice, server.connect("/ws?user=bob") as bob:
        await alice.expect("welcome")
        await bob.expect("welcome")

        assert await alice.closed() == (4401, "the identity has expired")
        await bob.send({"type": "ping", "id": "1"})
        await bob.expect("pong", id="1")


async def test_a_user_who_is_revoked_during_the_handshake_does_not_stay() -> None:
    hub = hub_of(login)
    async with serving(host(hub)) as server:
        people = hub.admissions._people
        claim_key = people.claim_key

        async def revoke_meanwhile(account: User) -> None:
            await hub.users("alice").revoke()
            await claim_key(account)

        people.claim_key = revoke_meanwhile  # type: ignore[method-assign]
        async with server.connect("/ws/chat/general?user=alice") as alice:
            assert await alice.closed() == REVOKED
        await eventually(lambda: len(hub.connections) == 0)
        assert hub.rooms("general").online == 0


async def test_a_revocation_survives_a_restart(tmp_path: Path) -> None:
    began = time.time()
    for revokes in (True, False):
        hub = Hubbub(authenticate=login, page=False, settings=Settings(data_dir=tmp_path))
        async with serving(host(hub)):
            revocations = hub.node.feature(AccessFeature).revocations
            if revokes:
                assert not revocations.is_revoked("alice", began)
                await hub.users("alice").revoke()
            assert revocations.is_revoked("Alice", began)
            assert not revocations.is_revoked("alice", time.time() + 1)
            assert not revocations.is_revoked("bob", began)
