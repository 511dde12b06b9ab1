"""PostgreSQL's own troubles: restarts, lost answers, fail-overs, and several nodes."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from hubbub.errors import ConfigurationError, Invalid, Unavailable
from hubbub.features.messages.log_check import check_rooms
from hubbub.store import postgres_connection
from hubbub.store.base import Transaction
from hubbub.store.operations import check
from hubbub.store.postgres import Postgres
from hubbub.store.statement import Statement
from hubbub.wire.identity import User
from tests import servers
from tests.fault_proxy import FaultProxy
from tests.logbook import Logbook
from tests.ports import free_port
from tests.store.databases import ADD_USERS, USERS, Opener

ALICE = User("alice", "Alice")
NOT_POSSIBLE = Statement("SELECT 1 / 0")
NAMED = Statement("SELECT name FROM users WHERE name = :name", columns=("name",))


def add(transaction: Transaction, names: Sequence[str]) -> list[str]:
    transaction.run(ADD_USERS, added=[(name,) for name in names])
    return list(names)


def users(transaction: Transaction) -> list[str]:
    return [row[0] for row in transaction.rows(USERS)]


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@pytest.fixture(params=["directly", "through PgBouncer"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a new, empty database."""
    address: str = request.getfixturevalue("postgres" if request.param == "directly" else "pooled")
    return address


@contextmanager
def own_cluster() -> Iterator[servers.Postgres]:
    cluster = servers.Postgres()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.remove()


async def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_done_twice(url: str, open_database: Opener) -> None:
    cuts_after_commit = threading.Event()

    def cuts(request: bytes) -> bool:
        if not cuts_after_commit.is_set() or b"COMMIT" not in request:
            return False
        cuts_after_commit.clear()
        return True

    with FaultProxy(port_of(url), on_request=cuts) as proxy:
        database = await open_database(Postgres(proxy.before(url)))
        log = Logbook(database)
        await log.send(ALICE, "general", "before")

        for turn in range(3):
            cuts_after_commit.set()
            sent = await log.send(ALICE, "general", f"turn {turn}")
            assert sent.seq == turn + 2
            assert sent.event is not None

        assert proxy.cuts == 3
        assert [message.text for message in (await log.latest("general")).messages] == [
            "before",
            "turn 0",
            "turn 1",
            "turn 2",
        ]
        await database.stop()


async def test_a_transaction_that_was_cut_off_before_its_commit_is_done_again(
    url: str, postgres: str, open_database: Opener
) -> None:
    database = await open_database(Postgres(url))
    log = Logbook(database)
    await log.send(ALICE, "general", "before")
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'hubbub' AND datname = current_database()"
        )

        sent = await log.send(ALICE, "general", "after")

    assert sent.seq == 2
    assert (await log.head("general")).seq == 2


async def test_a_restart_is_waited_for_and_nothing_is_lost_or_doubled(open_database: Opener) -> None:
    with own_cluster() as cluster:
        database = await open_database(Postgres(cluster.create_database()))
        log = Logbook(database)
        senders = [asyncio.ensure_future(send_many(log, User(f"user{number}", "User"), 40)) for number in range(5)]
        await log.send(ALICE, "general", "before")
        await asyncio.to_thread(cluster.stop)
        await asyncio.to_thread(cluster.start)

        seqs = [seq for sender in senders for seq in await sender]

        assert len(set(seqs)) == 200
        assert (await log.head("general")).seq == 201
        await database.stop()


async def send_many(log: Logbook, author: User, number: int) -> list[int]:
    return [(await log.send(author, "general", f"{turn}", key=f"key-{turn:05}")).seq for turn in range(number)]


async def test_while_it_is_away_nothing_is_acked_and_it_comes_back_by_itself(open_database: Opener) -> None:
    with own_cluster() as cluster:
        database = await open_database(Postgres(cluster.create_database(), timeout=2))
        await database.write(add, "alice")
        await asyncio.to_thread(cluster.stop)

        for name in ("bob", "carol"):
            with pytest.raises(Unavailable, match="cannot be reached"):
                await database.write(add, name)
        with pytest.raises(Unavailable, match="cannot be reached"):
            await database.read(users)

        await asyncio.to_thread(cluster.start)
        await database.write(add, "dave")
        assert await database.read(users) == ["alice", "dave"]
        await database.stop()


async def test_a_database_that_may_have_lost_writes_begins_a_new_epoch(postgres: str, open_database: Opener) -> None:
    first = await open_database(Postgres(postgres))
    log = Logbook(first)
    await log.send(ALICE, "general", "kept")
    before = await log.head("general")
    await first.stop()
    again = await open_database(Postgres(postgres))
    assert (await Logbook(again).head("general")).epoch == before.epoch
    await again.stop()
    with psycopg.connect(postgres) as other:
        other.execute("UPDATE epochs SET timeline = 'that of the server that is gone'")

    after = Logbook(await open_database(Postgres(postgres)))

    assert (await after.head("general")).epoch != before.epoch
    assert (await after.recover("general", before.rev, before.epoch)).recovered
    await after.send(ALICE, "general", "new")
    assert not (await after.recover("general", before.rev, before.epoch)).recovered


async def test_two_nodes_start_at_once_on_an_empty_database(url: str, open_database: Opener) -> None:
    databases = await asyncio.gather(open_database(Postgres(url)), open_database(Postgres(url)))

    await databases[0].write(add, "alice")

    assert await databases[1].read(users) == ["alice"]


async def test_two_nodes_share_rooms_without_gap_double_or_deadlock(url: str, open_database: Opener) -> None:
    logs = [Logbook(await open_database(Postgres(url))) for _ in range(2)]

    async def send(number: int) -> None:
        author = User(f"user{number % 7}", "User")
        for turn in range(15):
            room = f"room{(number + turn) % 5}"
            sent = await logs[number % 2].send(author, room, "hi", key=f"{number:04}-{turn:04}")
            again = await logs[(number + 1) % 2].send(author, room, "hi", key=f"{number:04}-{turn:04}")
            assert (again.seq, again.event) == (sent.seq, None)
            await logs[(number + 1) % 2].react(author, room, sent.seq, "👍")

    await asyncio.wait_for(asyncio.gather(*(send(number) for number in range(20))), 60)

    heads = await logs[0].heads([f"room{number}" for number in range(5)])
    assert sum(head.seq for head in heads) == 20 * 15
    assert sum(head.rev for head in heads) == 2 * 20 * 15
    assert check(Postgres(url), check_rooms) == []


async def test_the_same_key_at_the_same_instant_on_two_nodes_is_one_message(url: str, open_database: Opener) -> None:
    logs = [Logbook(await open_database(Postgres(url))) for _ in range(2)]

    for turn in range(20):
        both = await asyncio.gather(*(log.send(ALICE, "general", "hi", key=f"key-{turn:05}") for log in logs))
        assert both[0].seq == both[1].seq == turn + 1
        assert sum(sent.event is None for sent in both) == 1


def test_an_address_that_nobody_answers_is_named_without_its_password() -> None:
    port = free_port()

    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}/chat.*HUBBUB_DATABASE_URL") as raised:
        Postgres(f"postgresql://hubbub:a-password@127.0.0.1:{port}/chat").prepare()

    assert "a-password" not in str(raised.value)


def test_a_writer_keeps_its_plans_until_tables_may_have_grown(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute("CREATE TABLE grown (id int PRIMARY KEY)")
        owner.execute("INSERT INTO grown VALUES (1)")
        owner.execute("ANALYZE grown")
        with contextlib.ExitStack() as connections:
            connected = []
            for seconds in (1000.0, 0.0):
                monkeypatch.setattr(postgres_connection, "PLANS_KEPT", seconds)
                connection = connections.enter_context(
                    contextlib.closing(postgres_connection.Connection(postgres, 10, float("inf"), keeps_plans=True))
                )
                connection.database.execute(
                    "PREPARE looked_up (jsonb) AS SELECT grown.id FROM grown"
                    " JOIN jsonb_array_elements_text($1) AS given ON grown.id = given::int"
                )
                connected.append(connection)
            before = [plan_of(connection) for connection in connected]
            owner.execute("INSERT INTO grown SELECT generate_series(2, 20000)")
            for connection in connected:
                connection.begin()
                connection.commit()
            after = [plan_of(connection) for connection in connected]
    assert after[0] == before[0] == before[1] != after[1]


async def test_a_message_waits_for_its_room_and_for_the_commit(postgres: str, open_database: Opener) -> None:
    requests = 0

    def count(request: bytes) -> bool:
        nonlocal requests
        requests += 1
        return False

    with FaultProxy(port_of(postgres), on_request=count) as proxy:
        database = await open_database(Postgres(proxy.before(postgres)))
        log = Logbook(database)
        for turn in range(2):
            await log.send(ALICE, "general", f"{turn}")

        before = requests
        await log.send(ALICE, "general", "the statements are prepared by now")

        assert requests - before == 2
        await database.stop()


async def test_a_statement_that_fails_with_the_commit_stores_nothing(postgres: str, open_database: Opener) -> None:
    database = await open_database(Postgres(postgres))

    def fail(transaction: Transaction, names: Sequence[str]) -> list[str]:
        add(transaction, names)
        transaction.run(NOT_POSSIBLE)
        return add(transaction, [f"{name} again" for name in names])

    for bob in ("bob 0", "bob 1"):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await database.write(fail, "alice")
        await database.write(add, bob)

    assert await database.read(users) == ["bob 0", "bob 1"]


async def test_a_text_that_cannot_be_stored_leaves_the_connection_usable(url: str, open_database: Opener) -> None:
    database = await open_database(Postgres(url))

    def look_up(transaction: Transaction) -> object:
        return transaction.rows(NAMED, name="a\0b")

    def store(transaction: Transaction, names: Sequence[str]) -> list[str]:
        transaction.run(NAMED, name="a\0b")
        return add(transaction, names)

    with pytest.raises(Invalid):
        await database.transact(look_up)
    await database.write(add, "bob 0")
    with pytest.raises(Invalid):
        await database.write(store, "alice")
    await database.write(add, "bob 1")
    with pytest.raises(Invalid):
        await database.read(look_up)

    assert await database.read(users) == ["bob 0", "bob 1"]


async def test_a_change_that_fails_before_anything_was_sent_leaves_the_connection_usable(
    postgres: str, open_database: Opener
) -> None:
    database = await open_database(Postgres(postgres))

    def fail(transaction: Transaction, names: Sequence[str]) -> list[str]:
        add(transaction, names)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(fail, "alice")
    await database.write(add, "bob")

    assert await database.read(users) == ["bob"]


def plan_of(connection: postgres_connection.Connection) -> list[str]:
    rows = connection.database.execute("EXPLAIN (COSTS OFF) EXECUTE looked_up ('[1]')").fetchall()
    return [row for (row,) in rows]
