"""The client against a real server that is killed, halted and cut off from it.

Nothing here waits for a time: the tests wait for events, and a deadline bounds the wait.
"""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar
from uuid import uuid4

import pytest

from hubbub.client import Client, Ended, Room, State, Undelivered
from hubbub.client.outbox import Pace
from hubbub.client.requests import http_root
from hubbub.client.room import new_key
from hubbub.client.session import Session
from hubbub.errors import Conflict, Forbidden, HubbubError, Invalid, NotFound, TooLarge, Unauthenticated, Unavailable
from hubbub.wire.base import Event
from hubbub.wire.connection import Ping, PongEvent
from hubbub.wire.messages import MessageEvent
from hubbub.wire.rooms import Joined
from hubbub.wire.typing import TypingEvent
from tests.client.proxy import Proxy
from tests.conftest import ServerFactory
from tests.gateway import BAD_GATEWAY, LOG_IN_FIRST, Gateway
from tests.people import encoded
from tests.ports import free_port
from tests.servers import WebServer, hubbub_server, watched

DEADLINE = 20.0

E = TypeVar("E", bound=Event)

FAST = {"HUBBUB_RATE": "10000", "HUBBUB_BURST": "20000", "HUBBUB_CONNECTIONS_PER_ADDRESS": "0"}


@pytest.fixture
def server(serve: ServerFactory) -> WebServer:
    """A server of the test's own, that it may kill."""
    return serve(environment=FAST)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server that many tests share: each uses a hall of its own."""
    yield from watched(hubbub_server(tmp_path_factory.mktemp("town"), environment=FAST))


@pytest.fixture
def place() -> str:
    """The key of a room that no other test uses."""
    return f"hall-{uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(DEADLINE):
        yield


def client(server: WebServer, name: str, **options: object) -> Client:
    return client_at(f"{server.ws_url}/ws", name, **options)


def client_at(address: str, name: str, **options: object) -> Client:
    return Client(address, username=name, first_wait=0.05, longest_wait=0.2, **options)  # type: ignore[arg-type]


async def until(client: Client, is_so: Callable[[], bool]) -> None:
    """Read events until a condition holds."""
    while not is_so():
        await anext(client)


async def next_of(client: Client, kind: type[E]) -> E:
    while not isinstance(event := await anext(client), kind):
        pass
    return event


@pytest.fixture
def logged() -> Iterator[asyncio.Queue[str]]:
    """What the client logs, at INFO and above."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: lines.put_nowait(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("hubbub.client")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lines
    log.setLevel(logging.NOTSET)
    log.removeHandler(handler)


def texts(room: Room) -> list[str]:
    return [message.text for message in room.messages]


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_people_send_and_change_messages(town: WebServer, place: str, codec: str) -> None:
    async with client(town, "alice", codec=codec) as alice, client(town, "bob") as bob:
        hall, bobs_hall = await alice.join(place), await bob.join(place)

        first = await hall.send("Hello Bob!", data={"n": 1})
        await bobs_hall.send("Hello Alice!", reply_to=first.seq)
        await hall.edit(1, "Hello, Bob!")
        await bobs_hall.react(1, "👍")
        await bobs_hall.pin(1)
        await bobs_hall.delete(2)

        for somebody, room in ((alice, hall), (bob, bobs_hall)):
            await until(somebody, lambda room=room: room.view.rev == 6)  # type: ignore[misc]
        assert hall.messages == bobs_hall.messages
        hello, answer = hall.messages
        assert (hello.text, hello.data, hello.pinned, hello.edited is not None) == ("Hello, Bob!", {"n": 1}, True, True)
        assert [reaction.model_dump() for reaction in hello.reactions or []] == [
            {"emoji": "👍", "count": 1, "users": [bob.user]}
        ]
        assert (answer.text, answer.deleted is not None, answer.reply_to) == ("", True, None)


async def test_messages_from_an_absence_are_handed_out_once(town: WebServer, place: str) -> None:
    async with Proxy(town.port) as proxy, client_at(proxy.address, "alice") as alice, client(town, "bob") as bob:
        hall, bobs_hall = await alice.join(place), await bob.join(place)
        await bobs_hall.send("one")
        assert (await next_of(alice, MessageEvent)).text == "one"

        proxy.cut()
        await bobs_hall.send("two")
        await bobs_hall.edit(1, "ONE")

        assert (await next_of(alice, Joined)).recovered
        assert (await next_of(alice, MessageEvent)).text == "two"
        await bobs_hall.send("three")
        assert (await next_of(alice, MessageEvent)).text == "three"
        assert texts(hall) == ["ONE", "two", "three"]


async def test_a_message_survives_a_server_that_is_killed(server: WebServer) -> None:
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")
        await hall.send("one")

        server.kill()
        sending = asyncio.create_task(hall.send("two"))
        await alice.wait_for(State.WAITING)
        await asyncio.to_thread(server.start)

        assert (await sending).seq == 2
        await until(alice, lambda: hall.view.seq == 2)
        assert texts(hall) == ["one", "two"]
        assert (await hall.edit(1, "still mine")).rev == 3


async def test_a_guest_reconnects_as_the_same_guest(town: WebServer, place: str) -> None:
    async with client(town, "Zoë and others") as zoe:
        await (await zoe.join(place)).send("one")
        key, secret = zoe.user, zoe.secret

    async with client(town, "Zoë and others", secret=secret) as zoe:
        assert zoe.user == key
        await (await zoe.join(place)).edit(1, "ONE")


async def test_a_room_of_another_epoch_starts_over(server: WebServer) -> None:
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")
        await hall.send("one")
        await next_of(alice, Joined)
        await next_of(alice, MessageEvent)

        server.kill()
        for file in (server.folder / "hubbub-data").glob("hubbub.db*"):
            file.unlink()
        await asyncio.to_thread(server.start)

        assert (await next_of(alice, Joined)).recovered is False
        assert hall.messages == []


async def test_a_silent_server_is_noticed(serve: ServerFactory) -> None:
    server = serve(environment=FAST | {"HUBBUB_HEARTBEAT": "0.25"})
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")

        server.signal(signal.SIGSTOP)
        try:
            await alice.wait_for(State.WAITING)
        finally:
            server.signal(signal.SIGCONT)

        assert (await hall.send("back again")).seq == 1


async def test_a_client_finds_a_restarted_server_again(server: WebServer) -> None:
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)

        assert (await hall.send("hello")).seq == 1


async def test_a_client_waits_for_a_server_that_is_not_there_yet(server: WebServer) -> None:
    server.stop()
    connecting = asyncio.create_task(client(server, "alice").__aenter__())

    await asyncio.to_thread(server.start)

    alice = await connecting
    assert alice.user == "alice"
    await alice.close()


async def test_a_flood_of_messages_keeps_within_the_servers_limits(serve: ServerFactory) -> None:
    # If the server pauses for a moment, it gets at once all that was sent meanwhile. So the burst is as large as a
    # second's commands.
    server = serve(environment={"HUBBUB_RATE": "30", "HUBBUB_BURST": "30", "HUBBUB_VIOLATIONS": "1"})
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")

        acks = await asyncio.gather(*(hall.send(f"message {number}") for number in range(50)))

        assert [ack.seq for ack in acks] == list(range(1, 51))
        assert alice.state is State.LIVE


async def test_a_client_closed_for_haste_reconnects_and_sends_everything_once(
    serve: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(environment={"HUBBUB_RATE": "20", "HUBBUB_BURST": "20", "HUBBUB_VIOLATIONS": "1"})
    monkeypatch.setattr("hubbub.client.session.LONGER_BY", 0.0)
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")
        with monkeypatch.context() as haste:
            haste.setattr(Pace, "due", lambda self: 0.0)
            sending = asyncio.gather(*(hall.send(f"message {number}") for number in range(45)))
            await alice.wait_for(State.WAITING)

        acks = await sending

        assert sorted(ack.seq or 0 for ack in acks) == list(range(1, 46))


async def test_more_rooms_than_one_join_takes_are_joined_up_to_the_limit(
    serve: ServerFactory,
) -> None:
    server = serve()
    async with client(server, "alice") as alice:
        joined = await asyncio.gather(*(alice.join(f"room-{n}") for n in range(203)), return_exceptions=True)

        refused = [outcome for outcome in joined if isinstance(outcome, BaseException)]
        assert [str(error) for error in refused] == ["a connection is in at most 200 rooms"] * 3
        assert all(isinstance(error, TooLarge) for error in refused)
        rooms = [outcome for outcome in joined if isinstance(outcome, Room)]
        assert [(await room.send("hello")).seq for room in (rooms[0], rooms[199])] == [1, 1]


@pytest.mark.parametrize("answer", [BAD_GATEWAY, LOG_IN_FIRST], ids=["502", "401"])
async def test_a_proxys_answer_neither_ends_the_session_nor_makes_another_guest(
    town: WebServer, place: str, answer: bytes
) -> None:
    async with Gateway(town.port) as gateway:
        async with client_at(gateway.url.replace("http", "ws") + "/ws", "Edith") as edith:
            hall = await edith.join(place)
            await hall.send("before")
            secret = edith.secret
            assert secret

            gateway.answer_to_websockets = answer
            gateway.cut()
            await gateway.refused()
            sending = asyncio.create_task(hall.send("meanwhile"))
            await gateway.refused()
            gateway.answer_to_websockets = None

            assert (await sending).seq == 2
            assert edith.secret == secret
            await hall.edit(1, "still mine")
        assert not [line for line in gateway.requests if "secret" in line or secret in line]


async def test_a_missing_server_is_logged_at_once_and_then_ever_more_seldom(
    logged: asyncio.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def open_and_count(session: Session) -> None:
        nonlocal attempts
        attempts += 1
        open_session(session)

    open_session = Session.open
    monkeypatch.setattr(Session, "open", open_and_count)
    port = free_port()
    address = f"ws://alice:canary@127.0.0.1:{port}/ws?secret=canary&token=canary"
    connecting = asyncio.create_task(
        Client(address, username="alice", first_wait=0.001, longest_wait=0.002).__aenter__()
    )

    seen = []
    for _ in range(5):
        line = await logged.get()
        seen.append(attempts)
        assert line.startswith(f"no connection to ws://127.0.0.1:{port}/ws (")
        assert "trying again in" in line
        assert "canary" not in line
    connecting.cancel()

    assert all(number >= least for number, least in zip(seen, [1, 2, 4, 8, 16], strict=True))


async def test_a_client_logs_its_name_and_its_lost_server_but_no_credential(
    server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client(server, "alice", headers={"Authorization": "Basic canary"}) as alice:
        secret = alice.secret or ""
        server.kill()
        await alice.wait_for(State.WAITING)
        await asyncio.to_thread(server.start)
        await alice.wait_for(State.LIVE)
        assert alice.secret == secret

    logged = [record.message for record in caplog.records if record.name == "hubbub.client"]
    assert logged[0].endswith("as alice")
    assert "has closed the connection" in logged[1]
    assert logged[-1].endswith("as alice")
    hidden = ["canary", secret, encoded(secret)]
    assert not [credential for credential in hidden if credential in caplog.text]


async def test_history_is_read_page_by_page(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice, client(town, "bob") as bob:
        hall = await alice.join(place)
        for number in range(1, 31):
            await hall.send(str(number))

        bobs_hall = await bob.join(place, limit=10)
        assert texts(bobs_hall) == [str(number) for number in range(21, 31)]
        around = await bobs_hall.history(around=5, limit=4)
        assert [message.seq for message in around.messages] == [3, 4, 5, 6]
        assert bobs_hall.view.first == 21
        while await bobs_hall.load_earlier(limit=8):
            pass
        assert texts(bobs_hall) == [str(number) for number in range(1, 31)]


async def test_a_refused_login_is_raised(town: WebServer) -> None:
    with pytest.raises(Unauthenticated, match="secret"):
        async with client(town, "alice", secret="someone.elses.secret"):
            pass


async def test_a_name_in_use_is_raised(town: WebServer, place: str) -> None:
    async with client(town, "alice"):
        with pytest.raises(Conflict, match="in use"):
            async with client(town, "Alice"):
                pass


async def test_the_keys_of_messages_differ_and_begin_with_the_time() -> None:
    before = time.time_ns() // 1_000_000
    keys = [new_key() for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    assert len(set(keys)) == 1000
    assert all(before <= int(key[:-16], 16) <= after for key in keys)


@pytest.mark.parametrize(
    ("do", "refusal"),
    [
        (lambda room: room.send("one", key="a-key-of-ours"), Conflict),
        (lambda room: room.send("x", reply_to=99), NotFound),
        (lambda room: room.edit(99, "?"), NotFound),
        (lambda room: room.delete(2), Forbidden),
        (lambda room: room.send("bell \a"), Invalid),
        (lambda room: room.react(1, "not one emoji"), Invalid),
        (lambda room: room.history(before=1, after=1), Invalid),
    ],
    ids=["key", "reply", "edit", "delete", "text", "emoji", "history"],
)
async def test_a_refused_command_is_raised_and_the_connection_lives(
    town: WebServer, place: str, do: Callable[[Room], object], refusal: type[HubbubError]
) -> None:
    async with client(town, "alice") as alice, client(town, "bob") as bob:
        hall = await alice.join(place)
        await hall.send("another", key="a-key-of-ours")
        await (await bob.join(place)).send("not yours")

        with pytest.raises(refusal):
            await do(hall)  # type: ignore[misc]

        assert (await hall.send("still here")).seq == 3


async def test_an_invalid_room_is_refused_without_asking_the_server(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice:
        with pytest.raises(Invalid, match="room"):
            await alice.join("no key!")


async def test_one_of_several_callers_that_wait_for_a_room_may_be_cancelled(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice:
        joins = [asyncio.create_task(alice.join(room)) for room in ("hall", "Hall", "HALL")]
        await asyncio.sleep(0)
        joins[1].cancel()

        first, _, third = await asyncio.gather(*joins, return_exceptions=True)

        assert isinstance(first, Room)
        assert isinstance(third, Room)
        assert first.view is third.view


async def test_a_left_room_sends_no_more_events(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice, client(town, "bob") as bob:
        hall, bobs_hall = await alice.join(place), await bob.join(place)
        kitchen, bobs_kitchen = await alice.join("kitchen"), await bob.join("kitchen")

        hall.leave()
        await bobs_hall.send("in the hall")
        await bobs_kitchen.send("in the kitchen")

        assert (await next_of(alice, MessageEvent)).room == "kitchen"
        assert texts(hall) == []
        assert texts(kitchen) == ["in the kitchen"]


async def test_typing_is_shown(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice, client(town, "bob") as bob:
        hall, _ = await alice.join(place), await bob.join(place)

        hall.typing()

        assert (await next_of(bob, TypingEvent)).user == alice.user


async def test_any_command_can_be_sent_and_answered(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice:
        assert isinstance(await alice.ask(Ping(), PongEvent), PongEvent)


async def test_closing_the_client_tells_the_callers_that_wait(server: WebServer) -> None:
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")
        server.kill()
        sending = asyncio.create_task(hall.send("hello"))
        await alice.wait_for(State.WAITING)

    with pytest.raises(Undelivered):
        await sending
    assert alice.state is State.CLOSED
    assert Joined in [type(event) async for event in alice]


async def test_after_a_final_close_code_the_client_does_not_reconnect(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_FRAME_BYTES": "1024"})
    async with client(server, "alice") as alice:
        hall = await alice.join("hall")

        with pytest.raises(Ended, match="1009"):
            await hall.send("long " * 400)

        with pytest.raises(Ended):
            await alice.join("kitchen")
        with pytest.raises(Ended):
            await until(alice, lambda: False)


async def test_the_address_must_be_a_websockets_address() -> None:
    with pytest.raises(ValueError, match="ws://"):
        Client("http://localhost:8000")


async def test_a_client_lists_rooms_and_who_is_online(town: WebServer, place: str) -> None:
    async with client(town, "alice") as alice, client(town, "bob") as bob:
        room = await alice.join(place)
        await bob.join(place)
        await bob.join(f"{place}-2")

        first = await alice.rooms(place.upper(), limit=1)
        second = await alice.rooms(place, after=first.next)
        online = await room.online()

        assert [(listed.room, listed.online) for listed in first.rooms + second.rooms] == [
            (place, 2),
            (f"{place}-2", 1),
        ]
        assert second.next is None
        assert [user.name for user in online.users] == ["alice", "bob"]
        assert [user.name for user in (await alice.online(place, "BO")).users] == ["bob"]
        with pytest.raises(Invalid):
            await alice.rooms(limit=0)


async def test_a_client_says_that_there_is_no_server_to_list_rooms() -> None:
    alone = Client(f"ws://127.0.0.1:{free_port()}/ws", username="alice")

    with pytest.raises(Unavailable):
        await alone.rooms()


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("ws://127.0.0.1:8000/ws", "http://127.0.0.1:8000"),
        ("wss://chat.example.com/chat/ws/chat/general?x=1", "https://chat.example.com/chat"),
        ("ws://host/ws/ws/notify/orders", "http://host/ws"),
        ("ws://host/wss", "http://host/wss"),
    ],
)
async def test_the_lists_are_beside_the_socket(address: str, root: str) -> None:
    assert http_root(address) == root
