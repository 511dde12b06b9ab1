"""A database that hangs instead of failing: callers get an answer in time, and refused requests are not done later."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.store.base import Transaction
from hubbub.store.migrate import LOCK_IN_POSTGRES
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from tests.fault_proxy import FaultProxy
from tests.logbook import Logbook
from tests.servers import Redis, hubbub_command, hubbub_server
from tests.store.databases import ADD_USERS, USERS, Opener

ALICE = User("alice", "Alice")
TIMEOUT = 2.0
MUCH_LONGER = 15.0
"""A hang that nobody notices lasts for ever, so this may be long: a busy machine needs a few seconds more."""


def add(transaction: Transaction, names: Sequence[str]) -> list[str]:
    transaction.run(ADD_USERS, added=[(name,) for name in names])
    return list(names)


def users(transaction: Transaction) -> list[str]:
    return [row[0] for row in transaction.rows(USERS)]


class Disk:
    """A disk whose writes never return, until it is mended."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.is_mended = threading.Event()

    def write(self, transaction: Transaction, names: Sequence[str]) -> list[str]:
        added = add(transaction, names)
        self.is_asked.set()
        self.is_mended.wait()
        return added

    def read(self, transaction: Transaction) -> list[str]:
        self.is_asked.set()
        self.is_mended.wait()
        return users(transaction)


# The writer's thread hangs: nothing but the event loop can say so.


async def test_a_write_that_hangs_is_unavailable_in_time_and_told_again_when_it_is_done_after_all(
    tmp_path: Path, open_database: Opener
) -> None:
    database, disk = await open_database(SQLite(tmp_path), timeout=TIMEOUT), Disk()
    answers: list[str | Exception] = []
    told = [asyncio.Event(), asyncio.Event()]

    def note(answer: str | Exception) -> None:
        answers.append(answer)
        told[len(answers) - 1].set()

    database.submit(disk.write, "alice", note)
    async with asyncio.timeout(MUCH_LONGER):
        await told[0].wait()
    disk.is_mended.set()
    async with asyncio.timeout(MUCH_LONGER):
        await told[1].wait()

    refused, stored = answers
    assert isinstance(refused, Unavailable)
    assert refused.retry_after
    assert "not known" in refused.message
    assert stored == "alice"


async def test_what_waited_behind_a_write_that_hangs_is_refused_and_not_done_later(
    tmp_path: Path, open_database: Opener
) -> None:
    database, disk = await open_database(SQLite(tmp_path), timeout=TIMEOUT), Disk()
    hanging = database.write(disk.write, "alice")
    await asyncio.to_thread(disk.is_asked.wait)

    with pytest.raises(Unavailable, match="nothing can be stored now"):
        await asyncio.wait_for(database.write(add, "bob"), MUCH_LONGER)
    disk.is_mended.set()

    with pytest.raises(Unavailable):
        await hanging
    assert await database.write(add, "carol") == "carol"
    assert await database.read(users) == ["alice", "carol"]


async def test_requests_that_nobody_can_do_any_more_still_count_so_that_memory_is_bounded(
    tmp_path: Path, open_database: Opener
) -> None:
    database, disk = await open_database(SQLite(tmp_path), timeout=TIMEOUT, queued=10), Disk()
    waiting = [database.write(disk.write, "alice"), *(database.write(add, f"user{number}") for number in range(9))]
    refused = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), MUCH_LONGER)

    assert all(isinstance(answer, Unavailable) for answer in refused)
    with pytest.raises(Unavailable, match="10 changes wait"):
        database.submit(add, "one too many", print)
    disk.is_mended.set()


async def test_a_read_that_hangs_is_unavailable_in_time(tmp_path: Path, open_database: Opener) -> None:
    database, disk = await open_database(SQLite(tmp_path), timeout=TIMEOUT), Disk()

    hanging = [asyncio.ensure_future(database.read(disk.read)) for _ in range(5)]

    for read in hanging:
        with pytest.raises(Unavailable, match="nothing can be read now"):
            await asyncio.wait_for(read, MUCH_LONGER)
    disk.is_mended.set()
    assert await database.read(users) == []


async def test_a_stop_gives_up_what_hangs_answers_those_who_wait_and_keeps_the_lock(
    tmp_path: Path, open_database: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.store.database.STOPPING", 0.2)
    database, disk = await open_database(SQLite(tmp_path), timeout=60), Disk()
    hanging = database.write(disk.write, "alice")
    await asyncio.to_thread(disk.is_asked.wait)

    has_ended = await asyncio.wait_for(database.stop(), MUCH_LONGER)

    assert not has_ended
    assert "the last commit did not end" in caplog.text
    with pytest.raises(Unavailable):
        await hanging
    # The writer may still write, so no other may.
    with pytest.raises(ConfigurationError, match="another Hubbub"):
        SQLite(tmp_path).prepare()
    disk.is_mended.set()


# PostgreSQL answers nothing, or not yet.


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def test_a_lock_that_somebody_holds_is_unavailable_in_time(postgres: str, open_database: Opener) -> None:
    log = Logbook(await open_database(Postgres(postgres, timeout=TIMEOUT), timeout=TIMEOUT))
    await log.send(ALICE, "general", "before")
    with psycopg.connect(postgres) as other:
        other.execute("LOCK TABLE rooms")

        with pytest.raises(Unavailable) as refused:
            await asyncio.wait_for(log.send(ALICE, "general", "refused"), MUCH_LONGER)
        with pytest.raises(Unavailable) as read:
            await asyncio.wait_for(log.latest("general"), MUCH_LONGER)

    assert refused.value.retry_after
    assert read.value.retry_after
    await log.send(ALICE, "general", "after")
    assert [message.text for message in (await log.latest("general")).messages] == ["before", "after"]


async def test_a_frozen_server_is_unavailable_in_time_and_nothing_is_lost_or_doubled(
    postgres: str, open_database: Opener
) -> None:
    with FaultProxy(port_of(postgres)) as proxy:
        database = await open_database(Postgres(proxy.before(postgres), timeout=TIMEOUT), timeout=TIMEOUT)
        log = Logbook(database)
        await log.send(ALICE, "general", "before", key="key-before")
        await log.latest("general")
        proxy.freeze()

        for text in ("one", "two"):
            with pytest.raises(Unavailable) as refused:
                await asyncio.wait_for(log.send(ALICE, "general", text, key=f"key-{text:>6}".replace(" ", "-")), 15)
            assert refused.value.retry_after
        with pytest.raises(Unavailable):
            await asyncio.wait_for(log.head("general"), MUCH_LONGER)
        proxy.thaw()
        for text in ("one", "two"):
            await send_until_acked(log, text, f"key-{text:>6}".replace(" ", "-"))

        assert [message.text for message in (await log.latest("general")).messages] == ["before", "one", "two"]
        await database.stop()


async def send_until_acked(log: Logbook, text: str, key: str) -> None:
    async with asyncio.timeout(MUCH_LONGER):
        while True:
            try:
                await log.send(ALICE, "general", text, key=key)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_commit_that_gets_no_answer_is_unknown_at_first_and_there_once(
    postgres: str, open_database: Opener
) -> None:
    freezes = threading.Event()

    def freeze_at_commit(request: bytes) -> bool:
        if freezes.is_set() and b"COMMIT" in request:
            freezes.clear()
            proxy.swallow()
        return False

    heard: list[str] = []
    with FaultProxy(port_of(postgres), on_request=freeze_at_commit) as proxy:
        database = await open_database(Postgres(proxy.before(postgres), timeout=TIMEOUT), timeout=TIMEOUT)
        log = Logbook(database, committed=lambda outcome: heard.append(outcome.room))
        await log.send(ALICE, "general", "before")
        freezes.set()

        with pytest.raises(Unavailable):
            await asyncio.wait_for(log.send(ALICE, "general", "maybe", key="key-maybe"), MUCH_LONGER)
        proxy.swallow(on=False)
        await send_until_acked(log, "maybe", "key-maybe")

        assert [message.text for message in (await log.latest("general")).messages] == ["before", "maybe"]
        assert len(heard) == 2
        await database.stop()


async def test_a_database_that_is_read_only_after_a_reconnection_is_unavailable_and_recovers(
    postgres: str, open_database: Opener
) -> None:
    database = await open_database(Postgres(postgres, timeout=TIMEOUT), timeout=TIMEOUT)
    await database.write(add, "alice")
    name = urlsplit(postgres).path[1:]
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'hubbub' AND datname = current_database()"
        )

        with pytest.raises(Unavailable, match="it is read-only") as refused:
            await database.write(add, "bob")
        other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert refused.value.retry_after
    assert await database.write(add, "carol") == "carol"


async def test_what_clients_are_told_names_no_host_and_no_port_and_the_log_does(
    postgres: str, open_database: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultProxy(port_of(postgres)) as proxy:
        database = await open_database(Postgres(proxy.before(postgres), timeout=TIMEOUT), timeout=TIMEOUT)
        await database.write(add, "alice")
        await database.read(users)
        proxy.refuse()
        proxy.cut()

        for attempt in (lambda: database.write(add, "bob"), lambda: database.read(users)):
            with pytest.raises(Unavailable) as refused:
                await attempt()
            assert str(proxy.port) not in refused.value.message
            assert "127.0.0.1" not in refused.value.message

        assert f"port {proxy.port}" in caplog.text
        await database.stop()


def test_a_server_that_migrates_for_too_long_stops_the_others_from_starting(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.store.migrate.MIGRATING", 0.2)
    with psycopg.connect(postgres) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_IN_POSTGRES,))
        began = time.monotonic()

        with pytest.raises(ConfigurationError, match="another program holds a lock"):
            Postgres(postgres).prepare()

    assert time.monotonic() - began < MUCH_LONGER


@pytest.mark.parametrize("workers", [1, 2])
def test_a_start_says_in_one_sentence_that_postgresql_answers_too_late(
    workers: int, postgres: str, redis: Redis, tmp_path: Path
) -> None:
    environment = {"HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_URL": postgres}
    # The tables are there already, so it is no migration that waits.
    with hubbub_server(tmp_path, environment=environment):
        pass
    environment |= {"HUBBUB_DATABASE_TIMEOUT": "1", "HUBBUB_WORKERS": str(workers)}
    with psycopg.connect(postgres) as other:
        other.execute("LOCK TABLE revoked_users IN ACCESS EXCLUSIVE MODE")
        status, said = hubbub_command(tmp_path, "serve", "--port", "0", environment=environment).run()

    assert status == 3, said
    assert "Traceback" not in said
    (sentence,) = [line for line in said.splitlines() if line.startswith("hubbub: ")]
    assert "the server cannot start now: " in sentence
    assert "HUBBUB_DATABASE_TIMEOUT" in sentence
