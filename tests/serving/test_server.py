"""What `hubbub serve` does that an application cannot do for itself: ports, addresses, files, and a stop in stages."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from hubbub.errors import ConfigurationError
from hubbub.origins import is_loopback
from hubbub.serving.addresses import addresses_for_others
from hubbub.serving.listening import listen
from hubbub.serving.server import HubbubServer, server_config
from hubbub.serving.stop_deadline import AT_ONCE, StopDeadline
from hubbub.settings import DEFAULT_PORT, Settings
from tests.conftest import ServerFactory
from tests.people import Person, person
from tests.servers import WebServer, uvicorn_server

DEADLINE = 60.0


# Ports and addresses.


def test_on_all_addresses_it_prints_those_that_others_can_use() -> None:
    found = addresses_for_others("0.0.0.0", 8000)

    assert all(address.startswith("http://") and address.endswith(":8000/") for address in found)
    assert not [address for address in found if is_loopback(urlsplit(address).hostname) or "0.0.0.0" in address]
    for address in found:
        # Only an address of this machine can be listened on.
        socket.create_server((urlsplit(address).hostname or "", 0)).close()


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        (None, []),
        ("127.0.0.1", []),
        ("::1", []),
        ("localhost", []),
        ("192.0.2.7", ["http://192.0.2.7:9000/"]),
        ("2001:db8::7", ["http://[2001:db8::7]:9000/"]),
        ("chat.example.com", ["http://chat.example.com:9000/"]),
    ],
)
def test_on_one_address_others_can_use_it_unless_it_is_the_loopback(host: str | None, addresses: list[str]) -> None:
    assert addresses_for_others(host, 9000) == addresses


@pytest.mark.parametrize(("guests", "said"), [("auto", "are not let in"), ("on", "are let in: whoever")])
def test_it_says_who_can_reach_it_and_whether_guests_from_there_are_let_in(
    guests: str, said: str, serve: ServerFactory
) -> None:
    server = serve("--host", "0.0.0.0", "--guests", guests)

    found = addresses_for_others("0.0.0.0", server.port)
    if not found:
        assert "Others" not in server.log  # a machine without any address but the loopback's
        return
    assert all(address in server.log for address in found)
    assert said in server.log
    assert ("--guests on" in server.log) == (guests == "auto")
    assert httpx.get(f"{found[0]}ws", trust_env=False).status_code == (426 if guests == "on" else 403)


def close(*sockets: socket.socket) -> None:
    for sock in sockets:
        sock.close()


def test_it_listens_on_both_loopbacks_with_one_port() -> None:
    sockets = listen(Settings(port=0))
    try:
        names = [sock.getsockname() for sock in sockets]
        assert [name[0] for name in names] == ["127.0.0.1", "::1"][: len(names)]
        assert len({name[1] for name in names}) == 1
        assert len(names) == 2 or not socket.has_ipv6
    finally:
        close(*sockets)


def test_a_configured_address_is_the_only_one() -> None:
    sockets = listen(Settings(host="127.0.0.1", port=0))
    try:
        assert [sock.getsockname()[0] for sock in sockets] == ["127.0.0.1"]
    finally:
        close(*sockets)


def test_a_taken_default_port_is_replaced_by_the_next_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    holders = [socket.socket(), socket.socket()]
    try:
        for holder, port in zip(holders, (DEFAULT_PORT, DEFAULT_PORT + 1), strict=True):
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind(("127.0.0.1", port))
                holder.listen()
            except OSError:
                # Another process holds it, which is just as good for the test.
                continue
        sockets = listen(Settings())
        port = sockets[0].getsockname()[1]
        close(*sockets)
    finally:
        close(*holders)

    assert DEFAULT_PORT + 1 < port < DEFAULT_PORT + 50
    assert f"port {DEFAULT_PORT} is taken; using {port}" in caplog.text


def test_a_taken_port_that_was_asked_for_is_an_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(ConfigurationError, match=rf"port {port}: .*--port or HUBBUB_PORT"):
            listen(Settings(port=port))


def test_an_address_that_is_not_this_machines_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        listen(Settings(host="192.0.2.1"))


def run_serve(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`hubbub serve` in a case where it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "hubbub.cli", "serve", *options],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_a_taken_port_ends_the_start_with_status_2_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        result = run_serve(tmp_path, "--port", str(holder.getsockname()[1]))

    assert result.returncode == 2
    assert result.stderr.startswith("hubbub: cannot listen on localhost port")
    assert "Traceback" not in result.stderr


def test_an_unwritable_data_directory_ends_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")

    result = run_serve(tmp_path, "--port", "0", "--data-dir", str(in_the_way / "data"))

    assert result.returncode != 0
    assert "--data-dir or HUBBUB_DATA_DIR" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_prints_its_address_and_answers_on_both_loopbacks(serve: ServerFactory) -> None:
    server = serve()

    assert f"Hubbub is at http://localhost:{server.port}/" in server.log
    assert str(server.folder / "hubbub-data") in server.log
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert httpx.get(f"http://{host}:{server.port}/health/ready", trust_env=False).json() == {"status": "ok"}


async def test_only_the_owner_may_read_the_secret_and_guests_survive_a_restart(serve: ServerFactory) -> None:
    server = serve()
    file = server.folder / "hubbub-data/secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text()
    async with person(server, "Zoë") as zoe:
        welcome = zoe.seen[0]
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)

    assert file.read_text() == secret
    async with person(server, secret=welcome["secret"], username="Zoë") as again:
        assert again.key == welcome["user"]


# The stop.


@asynccontextmanager
async def crowd(server: WebServer, number: int) -> AsyncIterator[list[Person]]:
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(person(server, f"guest-{index}")) for index in range(number)]
        for somebody in people:
            await somebody.join("lobby")
        yield people


async def test_a_stop_says_when_to_come_back_closes_with_1012_and_exits_with_0(serve: ServerFactory) -> None:
    server = serve()
    async with crowd(server, 20) as people:
        server.signal(signal.SIGTERM)
        endings = await asyncio.gather(*(somebody.ended() for somebody in people))
        status = await asyncio.to_thread(server.wait, DEADLINE)

    assert {code for code, _ in endings} == {1012}
    delays = [somebody.of_type("draining")[0]["reconnect_in"] for somebody in people]
    assert all(delay >= 500 for delay in delays)
    assert len(set(delays)) > 1
    assert status == 0


async def test_ctrl_c_is_a_stop_too(serve: ServerFactory) -> None:
    server = serve()
    async with person(server, "alice") as alice:
        server.signal(signal.SIGINT)

        assert (await alice.ended())[0] == 1012
        assert await asyncio.to_thread(server.wait, DEADLINE) == 0


async def test_a_client_that_does_not_read_delays_a_stop_up_to_the_deadline(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_DRAIN_TIMEOUT": "1", "HUBBUB_CLOSE_TIMEOUT": "1", "HUBBUB_RATE": "10000"})
    async with person(server, "alice") as alice, person(server, "sleepy") as sleepy:
        for somebody in (alice, sleepy):
            await somebody.join("lobby")
        sleepy.link.transport.pause_reading()
        for number in range(50):
            await alice.say("lobby", f"{number} {'x' * 3900}")

        server.signal(signal.SIGTERM)
        assert (await alice.ended())[0] == 1012
        assert await asyncio.to_thread(server.wait, DEADLINE) == 0
        sleepy.vanish()


async def test_new_clients_are_refused_during_a_stop(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_DRAIN_TIMEOUT": "20"})
    async with person(server, "alice") as alice:
        # An open HTTP connection can still ask while nobody new is let in.
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
            assert (await client.get("/health/ready")).status_code == 200
            alice.link.transport.pause_reading()
            server.signal(signal.SIGTERM)
            try:
                while (answer := await client.get("/ws")).status_code == 426:
                    pass
            except httpx.TransportError:
                pass
            else:
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert answer.headers["retry-after"]
        alice.link.transport.resume_reading()
        await alice.ended()
    assert await asyncio.to_thread(server.wait, DEADLINE) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_does_not_wait(serve: ServerFactory, number: signal.Signals) -> None:
    server = serve(environment={"HUBBUB_DRAIN_TIMEOUT": "60", "HUBBUB_CLOSE_TIMEOUT": "60"})
    # uvicorn does not wait for the application's lifespan, and logs that.
    server.may_log_tracebacks = True
    async with person(server, "alice") as alice, person(server, "sleepy") as sleepy:
        sleepy.link.transport.pause_reading()
        server.signal(number)
        assert (await alice.ended())[0] == 1012
        assert server.running
        server.signal(number)

        await asyncio.to_thread(server.wait, DEADLINE)
        sleepy.vanish()


# A foreign server.


@pytest.mark.slow(4)
async def test_uvicorn_reloads_without_hanging_on_open_sockets(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "app.py").write_text("from hubbub.serving import create_app\n")
    server = uvicorn_server(
        tmp_path, "hubbub.serving:create_app", "--factory", "--reload", "--reload-dir", str(watched)
    )
    server.ready_path = "/health/live"
    with server:
        async with person(server, "alice") as alice:
            await alice.join("lobby")
            (watched / "app.py").write_text("from hubbub.serving import create_app  # touched\n")

            assert (await alice.ended())[0] in {1001, 1012, 1006}
        async with asyncio.timeout(DEADLINE):
            while not await asyncio.to_thread(server.is_ready):
                pass
        async with person(server, "alice") as again:
            await again.join("lobby")


def test_a_second_signal_counts_while_the_handler_of_the_first_one_runs() -> None:
    class Deadline(StopDeadline):
        def end_within(self, seconds: float) -> None:
            ends.append(seconds)
            if len(ends) == 1:
                server.handle_exit(signal.SIGINT, None)

    ends: list[float] = []
    server = HubbubServer(server_config(FastAPI(), Settings()), deadline=Deadline())

    server.handle_exit(signal.SIGTERM, None)

    assert min(ends) == AT_ONCE
    assert server.force_exit
