"""What is wrong with a Redis is told at start, in a sentence that says what to do and holds no password."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hubbub.broker.redis import RedisBroker
from hubbub.broker.redis_address import parse_addresses
from hubbub.errors import ConfigurationError
from tests.broker.inbox import ROOM, Inbox, said
from tests.encrypted_redis import Certificates, encrypted_redis
from tests.patient import PATIENCE
from tests.ports import free_port
from tests.servers import Redis

CANARY = "c4n4ry/secret@:"
ESCAPED = "c4n4ry%2Fsecret%40%3A"

Answer = Callable[[bytes], bytes]


@asynccontextmanager
async def broker(
    url: str, *, cluster: str = "ours", timeout: float = PATIENCE, namespace: str = "hubbub"
) -> AsyncIterator[tuple[RedisBroker, Inbox]]:
    one, inbox = RedisBroker(parse_addresses(url), timeout=timeout, namespace=namespace), Inbox()
    await one.start(inbox.deliver, inbox.missed, cluster=cluster)
    try:
        yield one, inbox
    finally:
        await one.stop()


async def refusal(url: str, *, cluster: str = "ours") -> str:
    """What the person who starts a node at this address is told."""
    with pytest.raises(ConfigurationError) as refused:
        async with broker(url, cluster=cluster):
            pass
    assert "c4n4ry" not in str(refused.value)
    return str(refused.value)


async def problem(url: str, *, timeout: float = PATIENCE) -> str:
    """Why a node at this address is not ready."""
    async with broker(url, timeout=timeout) as (one, _):
        assert one.problem is not None
        assert "c4n4ry" not in one.problem + repr(one._servers.of("")._link)
        return one.problem


@asynccontextmanager
async def stranger(answer: Answer) -> AsyncIterator[int]:
    """A server that is no Redis 7. It says something before it is asked, or to each thing that it is asked."""

    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.write(answer(b""))
            while data := await reader.read(65536):
                writer.write(answer(data))
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


@pytest.fixture
def locked(tmp_path: Path, redis: Redis) -> Iterator[Redis]:
    with Redis(tmp_path, "--requirepass", CANARY) as server:
        yield server


async def test_a_password_lets_in(locked: Redis) -> None:
    for login in (f":{ESCAPED}", f"default:{ESCAPED}"):
        async with broker(f"redis://{login}@127.0.0.1:{locked.port}") as (one, inbox):
            await one.subscribe(ROOM)
            assert one.problem is None
            assert inbox.missing == []
            assert CANARY not in repr(one._servers.of("")._link) + str(vars(one._servers.of("")._link))


async def test_a_wrong_password_is_refused(locked: Redis) -> None:
    told = await refusal(f"redis://:{ESCAPED}wrong@127.0.0.1:{locked.port}")

    assert told == (
        f"redis://127.0.0.1:{locked.port}/0: the user or password in broker_url is wrong "
        "(redis://USER:PASSWORD@HOST, special characters as %XX)"
    )


async def test_a_missing_password_is_refused(locked: Redis) -> None:
    assert "it wants a password: redis://:PASSWORD@HOST" in await refusal(f"redis://127.0.0.1:{locked.port}")


async def test_a_password_that_is_changed_while_nodes_run_is_a_problem_and_no_end(locked: Redis) -> None:
    async with broker(f"redis://:{ESCAPED}@127.0.0.1:{locked.port}") as (one, _):
        await asyncio.to_thread(_change_password, locked)
        async with asyncio.timeout(PATIENCE):
            while "password" not in (one.problem or ""):  # noqa: ASYNC110 - nobody says when it changes
                await asyncio.sleep(0.01)


def _change_password(server: Redis) -> None:
    import redis

    with redis.Redis(port=server.port, password=CANARY) as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="pubsub")
        client.client_kill_filter(_type="normal")


async def test_a_user_who_lacks_rights_is_told_which(redis: Redis) -> None:
    rights = ["+@connection", "+publish", "+subscribe", "+unsubscribe", "+get", "+getex", "+set", "+expire"]
    redis.ask("ACL", "SETUSER", "hub", "on", f">{CANARY}", "resetchannels", "&hubbub:*", "~hubbub:*", *rights)
    redis.ask("ACL", "SETUSER", "mute", "on", f">{CANARY}", "resetchannels", "&other:*", "~hubbub:*", *rights)
    try:
        async with broker(f"redis://hub:{ESCAPED}@127.0.0.1:{redis.port}") as (one, _):
            await one.subscribe(ROOM)
            one.publish(said("allowed"))
            assert one.problem is None
        told = await refusal(f"redis://mute:{ESCAPED}@127.0.0.1:{redis.port}")
    finally:
        redis.ask("ACL", "DELUSER", "hub", "mute")

    assert "it refuses what Hubbub needs: NOPERM" in told


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail\r\n"])
async def test_what_is_no_redis_is_refused(words: bytes) -> None:
    async with stranger(lambda _: words) as port:
        told = await refusal(f"redis://:{ESCAPED}@127.0.0.1:{port}")

    assert told == f"redis://127.0.0.1:{port}/0: the server there is not Redis; check the host and port in broker_url"


async def test_a_redis_without_resp3_is_refused_and_its_answer_with_the_password_is_not_repeated() -> None:
    def answer(asked: bytes) -> bytes:
        # What Redis 5 says.
        quoted = b"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `%s`, \r\n"
        return quoted % CANARY.encode() if asked else b""

    async with stranger(answer) as port:
        told = await refusal(f"redis://:{ESCAPED}@127.0.0.1:{port}")

    assert "it does not understand HELLO 3 (RESP3). Hubbub needs Redis 7.0 or newer" in told


async def test_a_redis_that_is_too_old_is_refused() -> None:
    hello = b"%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
    async with stranger(lambda asked: hello if asked else b"") as port:
        told = await refusal(f"redis://127.0.0.1:{port}")

    assert told.endswith("it is Redis 6.2.14; Hubbub needs 7.0 or newer")


async def test_a_database_number_that_redis_does_not_have_is_refused(redis: Redis) -> None:
    assert "DB index is out of range" in await refusal(f"redis://127.0.0.1:{redis.port}/4000")


async def test_a_redis_that_is_away_is_waited_for_and_used_when_it_comes(tmp_path: Path, redis: Redis) -> None:
    late = Redis(tmp_path)
    async with broker(late.url) as (one, _), AsyncExitStack() as stack:
        assert one.problem == f"redis://127.0.0.1:{late.port}/0: it cannot be reached (Connection refused)"
        await one.subscribe(ROOM)
        await asyncio.to_thread(stack.enter_context, late)

        async with asyncio.timeout(PATIENCE):
            while one.problem:  # noqa: ASYNC110 - nobody says when it changes
                await asyncio.sleep(0.01)


async def test_a_server_that_says_nothing_is_waited_for() -> None:
    async with stranger(lambda _: b"") as port:
        assert await problem(f"redis://127.0.0.1:{port}", timeout=0.5) == (
            f"redis://127.0.0.1:{port}/0: it does not answer within 0.5 s"
        )


async def test_a_redis_that_is_full_is_waited_for() -> None:
    async with stranger(lambda _: b"-ERR max number of clients reached\r\n") as port:
        assert (await problem(f"redis://127.0.0.1:{port}")).endswith("it has no place for another client")


async def test_a_redis_that_loads_is_waited_for() -> None:
    loading = b"-LOADING Redis is loading the dataset in memory\r\n"
    async with stranger(lambda asked: loading if asked else b"") as port:
        assert (await problem(f"redis://127.0.0.1:{port}")).endswith("it says LOADING")


async def test_a_replica_is_not_used(redis: Redis, tmp_path: Path) -> None:
    with Redis(tmp_path, "--replicaof", "127.0.0.1", str(redis.port)) as replica:
        assert "it is a replica" in await problem(replica.url)


async def test_a_redis_cluster_is_refused(redis: Redis, tmp_path: Path) -> None:
    with Redis(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as member:
        assert "it belongs to a Redis Cluster" in await refusal(f"redis://127.0.0.1:{member.port}")


async def test_nodes_of_another_database_are_refused_until_theirs_are_gone(redis: Redis) -> None:
    async with broker(redis.url, cluster="theirs"):
        told = await refusal(redis.url)
        async with broker(redis.url, namespace="staging") as (one, _):
            assert one.problem is None

    assert told.startswith(
        f"redis://127.0.0.1:{redis.port}/0: other nodes in namespace 'hubbub' have another database."
    )
    assert 0 < int(redis.ask("TTL", "hubbub:cluster")) <= 60


async def test_nodes_with_another_list_of_servers_are_refused(three_redis: list[Redis]) -> None:
    first, second, third = (server.url for server in three_redis)
    async with broker(f"{first},{second},{third}"):
        told = await refusal(f"{second},{first},{third}")

    assert "have another list of servers: there it is number 2/3 in broker_url, here 1/3" in told


async def test_nothing_is_left_of_a_start_that_was_refused(three_redis: list[Redis], locked: Redis) -> None:
    before = {task for task in asyncio.all_tasks() if not task.done()}

    await refusal(f"{three_redis[0].url},redis://:wrong@127.0.0.1:{locked.port}")

    assert {task for task in asyncio.all_tasks() if not task.done()} == before


@pytest.fixture
def encrypted(tmp_path: Path, redis: Redis) -> Iterator[tuple[int, Certificates]]:
    """A redis-server that speaks TLS on one port, and plainly on another."""
    files, port = Certificates(tmp_path), free_port()
    with encrypted_redis(tmp_path, files, port):
        yield port, files


async def test_tls_carries_publications(encrypted: tuple[int, Certificates]) -> None:
    port, files = encrypted
    url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={files.ca}"
    async with broker(url) as (one, _), broker(url) as (two, inbox):
        await two.subscribe(ROOM)
        for _ in range(100):
            one.publish(said("x" * 10_000))
        one.publish(said("end"))

        assert len(await inbox.until("end")) == 101


async def test_a_certificate_of_an_unknown_authority_is_refused(encrypted: tuple[int, Certificates]) -> None:
    told = await refusal(f"rediss://127.0.0.1:{encrypted[0]}")

    assert "its certificate is not trusted" in told
    assert "ssl_ca_certs=" in told


async def test_tls_with_a_server_that_speaks_none_is_asked_about(redis: Redis) -> None:
    # Redis takes the first bytes of TLS for the beginning of a line, and waits for the rest.
    assert "does it speak TLS?" in await problem(f"rediss://127.0.0.1:{redis.port}", timeout=0.5)


async def test_tls_with_another_server_that_speaks_none_is_refused() -> None:
    async with stranger(lambda asked: b"HTTP/1.1 400 Bad Request\r\n\r\n" if asked else b"") as port:
        assert "without TLS it is redis://" in await refusal(f"rediss://127.0.0.1:{port}")


async def test_a_forgotten_tls_is_asked_about(encrypted: tuple[int, Certificates]) -> None:
    assert "does it want rediss://?" in await problem(f"redis://127.0.0.1:{encrypted[0]}")
