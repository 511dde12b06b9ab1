"""`hubbub serve --workers N`: one port, several processes, which start, die, stop and are replaced together."""

import asyncio
import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from hubbub.errors import ConfigurationError
from hubbub.serving.server import run
from hubbub.serving.supervisor import FIRST_PAUSE, LONGEST_PAUSE, pause_before_restart
from hubbub.settings import Settings
from tests.chaos.conftest import UNLIMITED
from tests.conftest import ServerFactory
from tests.fault_proxy import FaultProxy
from tests.people import Person, address, person
from tests.servers import Redis, WebServer, hubbub_server
from tests.serving.conversation import conversation
from tests.serving.test_tls import Files
from tests.waiting import eventually

pytestmark = pytest.mark.slow(3)

DEADLINE = 60.0
Workers = Callable[..., WebServer]


@pytest.fixture
def workers(serve: ServerFactory, redis: Redis) -> Workers:
    """Starts several workers, on Redis, that store nothing unless told otherwise."""

    def start(number: int, **environment: str) -> WebServer:
        shared = {"HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_URL": "none"}
        server = serve("--workers", str(number), environment=UNLIMITED | shared | environment)
        # It answers as soon as the first worker does.
        deadline = time.monotonic() + DEADLINE
        while "Hubbub is at" not in server.log:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return server

    return start


def processes_of(server: WebServer) -> dict[int, int]:
    """The living workers: slot and process id."""
    found: dict[int, int] = {}
    for process in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"hubbub.serving.worker" in words:
            found[json.loads(words[words.index(b"hubbub.serving.worker") + 1])["slot"]] = int(process)
    return found


def starts_of(server: WebServer, slot: int) -> int:
    """How many workers with this slot have started, as they say themselves."""
    return server.log.count(f"[worker {slot}] hubbub: messages are not stored")


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# What they need.


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"HUBBUB_DATABASE_URL": "none"},
            "hubbub: several workers need a broker: set HUBBUB_BROKER_URL=redis://…",
        ),
        (
            {"HUBBUB_BROKER_URL": "redis://127.0.0.1"},
            (
                "hubbub: several workers need a database that they share: set HUBBUB_DATABASE_URL=postgresql://…, or "
                "`none` to store nothing"
            ),
        ),
    ],
)
def test_workers_that_could_not_see_each_other_are_refused_in_one_sentence(
    environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    result = serve_and_end(tmp_path, "--workers", "2", **environment)

    assert (result.returncode, result.stderr.splitlines()) == (2, [said])
    assert list(tmp_path.iterdir()) == []


def serve_and_end(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hubbub.cli", "serve", "--port", "0", *options],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_a_server_whose_first_worker_cannot_start_ends_with_its_status_and_reason(tmp_path: Path, redis: Redis) -> None:
    result = serve_and_end(
        tmp_path,
        *("--workers", "3", "--guests", "off"),
        HUBBUB_BROKER_URL=redis.url,
        HUBBUB_DATABASE_URL="none",
    )

    assert result.returncode == 2
    assert result.stderr.startswith("hubbub: worker 0: guests is `off`")
    assert len(result.stderr.splitlines()) == 1


def test_an_applications_own_program_does_not_become_several() -> None:
    with pytest.raises(ConfigurationError, match="in one process"):
        run(None, settings=Settings(workers=2))


# One port.


async def test_new_connections_are_dealt_out_evenly(workers: Workers) -> None:
    server = workers(4)
    processes = processes_of(server)
    before = {slot: sockets_of(process) for slot, process in processes.items()}

    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        taken: dict[int, int] = {}

        def all_are_taken() -> bool:
            taken.update({slot: sockets_of(process) - before[slot] for slot, process in processes.items()})
            return sum(taken.values()) >= 400

        await eventually(all_are_taken, deadline=DEADLINE)
    print(taken)
    # Of 100 on average. With one socket for all, one of them had 25 or fewer.
    assert min(taken.values()) >= 50
    assert sorted(processes) == [0, 1, 2, 3]


def sockets_of(process: int) -> int:
    return sum(str(file.readlink()).startswith("socket:") for file in Path(f"/proc/{process}/fd").iterdir())


def test_a_second_server_on_the_same_port_is_refused(workers: Workers, redis: Redis, tmp_path: Path) -> None:
    server = workers(2)

    result = serve_and_end(
        tmp_path,
        *("--workers", "2", "--port", str(server.port)),
        HUBBUB_BROKER_URL=redis.url,
        HUBBUB_DATABASE_URL="none",
    )

    assert result.returncode == 2
    assert result.stderr.startswith(f"hubbub: cannot listen on localhost port {server.port}")


# When one dies.


async def test_a_worker_that_dies_is_replaced_at_once_in_its_slot(workers: Workers) -> None:
    server = workers(2)
    victim = processes_of(server)[1]
    os.kill(victim, signal.SIGKILL)

    await eventually(lambda: processes_of(server).get(1, victim) != victim, deadline=DEADLINE)
    await eventually(lambda: starts_of(server, 1) == 2, deadline=DEADLINE)
    assert f"worker 1 (process {victim}) was ended by signal 9; starting another one\n" in server.log
    async with person(server, "alice") as alice:
        await alice.join("hall")


@pytest.mark.slow(5)
async def test_a_worker_that_dies_again_is_started_later_and_nobody_waits_for_it(workers: Workers) -> None:
    server = workers(2)
    for deaths in (1, 2):
        await eventually(lambda: 1 in processes_of(server), deadline=DEADLINE)
        os.kill(processes_of(server)[1], signal.SIGKILL)
        await eventually(
            lambda deaths=deaths: server.log.count("by signal 9") == deaths,  # type: ignore[misc]
            deadline=DEADLINE,
        )
    assert "by signal 9; starting another one in 0." in server.log

    # Until it serves again, its share of the connects goes to the other one.
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=DEADLINE) as client:
        while 1 not in processes_of(server):
            assert (await client.get("/health/ready", headers={"Connection": "close"})).status_code == 200


def test_the_pause_before_a_restart_grows_up_to_a_limit() -> None:
    assert pause_before_restart(1) == 0.0
    assert FIRST_PAUSE / 2 <= pause_before_restart(2) <= FIRST_PAUSE
    assert FIRST_PAUSE <= pause_before_restart(3) <= 2 * FIRST_PAUSE
    assert LONGEST_PAUSE / 2 <= pause_before_restart(1_000) <= LONGEST_PAUSE


async def test_no_worker_outlives_a_supervisor_that_is_killed(workers: Workers) -> None:
    server = workers(2)
    processes = processes_of(server).values()
    async with person(server, "alice") as alice:
        server.kill()

        assert (await alice.ended())[0] == 1012
        await eventually(lambda: not any(is_alive(process) for process in processes), deadline=DEADLINE)


# The stop.


async def crowd(server: WebServer, stack: AsyncExitStack, number: int) -> list[Person]:
    return [await stack.enter_async_context(person(server, f"guest-{index}")) for index in range(number)]


def signal_supervisor(server: WebServer) -> None:
    server.signal(signal.SIGTERM)


def signal_all_processes(server: WebServer) -> None:
    """As systemd does by default."""
    for process in (server.pid, *processes_of(server).values()):
        os.kill(process, signal.SIGTERM)


@pytest.mark.parametrize("stop", [signal_supervisor, signal_all_processes])
async def test_all_workers_stop_in_stages(stop: Callable[[WebServer], None], workers: Workers) -> None:
    server = workers(3)
    async with AsyncExitStack() as stack:
        people = await crowd(server, stack, 12)
        stop(server)
        endings = await asyncio.gather(*(somebody.ended() for somebody in people))
        status = await asyncio.to_thread(server.wait, DEADLINE)

    assert {code for code, _ in endings} == {1012}
    assert all(somebody.of_type("draining") for somebody in people)
    assert status == 0


async def test_a_second_signal_to_the_supervisor_hastens_all(workers: Workers) -> None:
    server = workers(2, HUBBUB_DRAIN_TIMEOUT="60", HUBBUB_CLOSE_TIMEOUT="60")
    server.may_log_tracebacks = True
    async with AsyncExitStack() as stack:
        people = await crowd(server, stack, 8)
        sleepy = people.pop()
        sleepy.link.transport.pause_reading()
        server.signal(signal.SIGTERM)
        for somebody in people:
            assert (await somebody.ended())[0] == 1012
        assert server.running
        server.signal(signal.SIGTERM)

        await asyncio.to_thread(server.wait, DEADLINE)
        sleepy.vanish()


def test_a_server_that_is_told_to_stop_while_it_starts_ends_well(tmp_path: Path, redis: Redis) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub.cli", "serve", "--port", "0", "--workers", "2"],
        cwd=tmp_path,
        env=os.environ | {"HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_URL": "none"},
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None and not children.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)

    assert process.wait(DEADLINE) == 0


async def test_workers_take_a_socket_that_was_handed_over_and_leave_it_open(tmp_path: Path, redis: Redis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "hubbub.cli", "serve", "--workers", "2", "--fd", str(listener.fileno())]
        shared = {"HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_URL": "none"}
        port = listener.getsockname()[1]
        server = WebServer(tmp_path, command, port=port, ready_path="/health/live", environment=shared)
        server.pass_fds = [listener.fileno()]
        with server:
            await eventually(lambda: "Hubbub is at" in server.log, deadline=DEADLINE)
            os.kill(processes_of(server)[0], signal.SIGKILL)
            async with person(server, "alice") as alice:
                await alice.join("hall")
            await eventually(lambda: starts_of(server, 0) == 2, deadline=DEADLINE)
        assert server.wait() == 0
        # Whoever comes now waits for the next server.
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_terminal_that_is_closed_stops_the_server(redis: Redis, tmp_path: Path) -> None:
    terminal, stdin = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub.cli", "serve", "--port", "0", "--workers", "2"],
        cwd=tmp_path,
        env=os.environ | {"HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_URL": "none", "PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "Hubbub is at" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)

    assert process.wait(DEADLINE) == 0
    process.stdout.close()
    os.close(terminal)
    os.close(stdin)


# The restart.


@pytest.mark.slow(10)
async def test_workers_are_restarted_one_after_the_other_and_nobody_is_refused(postgres: str, workers: Workers) -> None:
    server = workers(2, HUBBUB_DATABASE_URL=postgres)
    old = set(processes_of(server).values())
    async with conversation([address(server)], server.port) as talk:
        await talk.goes_on()
        server.signal(signal.SIGHUP)
        await eventually(lambda: "the workers have been restarted" in server.log, deadline=2 * DEADLINE)
        await talk.goes_on()

    talk.check()
    print(talk.knocks)
    assert talk.knocks.refused == []
    new = processes_of(server)
    assert len(new) == 2
    assert old.isdisjoint(new.values())


@pytest.mark.slow(6)
async def test_each_worker_speaks_tls_and_takes_a_renewed_certificate(redis: Redis, tmp_path: Path) -> None:
    files = Files(tmp_path / "certificate.pem", tmp_path / "key.pem")
    files.write()
    given = {
        "HUBBUB_BROKER_URL": redis.url,
        "HUBBUB_DATABASE_URL": "none",
        "HUBBUB_TLS_CERTIFICATE": str(files.certificate),
        "HUBBUB_TLS_KEY": str(files.key),
    }
    server = hubbub_server(tmp_path, "--workers", "2", environment=UNLIMITED | given)
    server.is_ready = lambda: "Hubbub is at https://" in server.log  # type: ignore[method-assign]
    with server:

        async def answers(trust: ssl.SSLContext) -> bool:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
            except ssl.SSLCertVerificationError:
                return False
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer.startswith(b"HTTP/1.1 200")

        old = files.trust()
        assert await answers(old)
        files.write()
        new = files.trust()

        async def both_have_changed() -> bool:
            await answers(old)
            return all(f"[worker {slot}] hubbub: the TLS certificate has changed" in server.log for slot in (0, 1))

        await eventually(both_have_changed, deadline=DEADLINE)
        assert [await answers(new) for _ in range(8)] == [True] * 8
        assert not await answers(old)
        assert len(processes_of(server)) == 2
    server.check_log()


@pytest.mark.slow(6)
async def test_a_worker_that_is_started_while_postgresql_is_away_serves_when_it_comes_back(
    workers: Workers, postgres: str
) -> None:
    with FaultProxy(urlsplit(postgres).port or 0) as proxy:
        server = workers(2, HUBBUB_DATABASE_URL=proxy.before(postgres), HUBBUB_DATABASE_TIMEOUT="3")
        await eventually(lambda: len(processes_of(server)) == 2, deadline=DEADLINE)
        proxy.refuse()
        proxy.cut()
        os.kill(processes_of(server)[1], signal.SIGKILL)
        await eventually(lambda: "hubbub: worker 1: PostgreSQL at" in server.log, deadline=DEADLINE)
        proxy.refuse(on=False)

        stores = "[worker 1] hubbub: messages are stored in PostgreSQL"
        await eventually(lambda: server.log.count(stores) == 2, deadline=DEADLINE)
        async with person(server, "alice") as alice:
            await alice.join("hall")
            assert (await alice.say("hall", "hello"))["type"] == "ack"
