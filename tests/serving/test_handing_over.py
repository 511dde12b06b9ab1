"""A server is replaced by the next one on the same listening socket: no connect is refused, no message is lost."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from hubbub.errors import ConfigurationError
from hubbub.serving.listening import inherit
from tests.chaos.conftest import UNLIMITED
from tests.people import address, person
from tests.servers import WebServer
from tests.serving.conversation import conversation
from tests.waiting import eventually

pytestmark = pytest.mark.slow(3)

DEADLINE = 60.0
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "hubbub.cli", "serve"])
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that this process holds, as systemd would."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as sock:
        yield sock


def on_socket(folder: Path, listener: socket.socket, command: list[str], **environment: str) -> WebServer:
    server = WebServer(
        folder,
        [sys.executable, *command],
        port=listener.getsockname()[1],
        ready_path="/health/live",
        environment=UNLIMITED | environment,
    )
    server.pass_fds = [listener.fileno()]
    return server


def serve_on(folder: Path, listener: socket.socket, **environment: str) -> WebServer:
    return on_socket(folder, listener, ["-m", "hubbub.cli", "serve", "--fd", str(listener.fileno())], **environment)


@pytest.mark.slow(6)
async def test_an_upgrade_with_one_sqlite_file_refuses_no_connect_and_loses_no_message(
    tmp_path: Path, listener: socket.socket
) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(serve_on(tmp_path, listener))
        async with conversation([address(old)], old.port) as talk:
            await talk.goes_on()
            for _ in range(2):
                # `start` returns at once: the old one still answers.
                new = await asyncio.to_thread(stack.enter_context, serve_on(tmp_path, listener))
                await eventually(lambda new=new: "waiting for another Hubbub (process" in new.log, deadline=DEADLINE)  # type: ignore[misc]
                await talk.goes_on()
                old.signal(signal.SIGTERM)
                assert await asyncio.to_thread(old.wait) == 0
                await eventually(lambda new=new: "Hubbub is at" in new.log, deadline=DEADLINE)  # type: ignore[misc]
                await talk.goes_on()
                old = new

    talk.check()
    print(talk.knocks)
    assert talk.knocks.refused == []
    assert talk.knocks.answers > 50


async def test_without_a_file_both_serve_for_a_while(tmp_path: Path, listener: socket.socket) -> None:
    with (
        serve_on(tmp_path, listener, HUBBUB_DATABASE_URL="none") as old,
        serve_on(tmp_path, listener, HUBBUB_DATABASE_URL="none") as new,
    ):
        await eventually(lambda: "Hubbub is at" in new.log, deadline=DEADLINE)
        old.signal(signal.SIGTERM)
        old.wait()

        async with person(new, "alice") as alice:
            await alice.join("hall")


@pytest.mark.slow(4)
async def test_connects_wait_while_no_server_runs_on_the_socket(tmp_path: Path, listener: socket.socket) -> None:
    """As in `systemctl restart`: the old one ends before the new one starts."""
    with serve_on(tmp_path, listener) as old:
        pass
    with ExitStack() as stack:
        async with httpx.AsyncClient(base_url=old.url, trust_env=False, timeout=20) as client:
            asking = asyncio.create_task(client.get("/health/live"))
            await asyncio.to_thread(stack.enter_context, serve_on(tmp_path, listener))

            assert (await asking).status_code == 200


def test_the_sockets_of_systemd_are_taken_and_its_variables_go_no_further(
    tmp_path: Path, listener: socket.socket
) -> None:
    with on_socket(tmp_path, listener, ["-c", AS_SYSTEMD, str(listener.fileno())]) as server:
        variables = Path(f"/proc/{server.pid}/environ").read_bytes()
        assert b"LISTEN_FDS=1" in variables  # as it was started
        assert f"Hubbub is at http://localhost:{server.port}/" in server.log


def test_systemd_is_told_when_the_server_answers_and_when_it_stops(tmp_path: Path, listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with serve_on(tmp_path, listener, NOTIFY_SOCKET=str(tmp_path / "notify")) as server:
            assert manager.recv(100) == b"READY=1"
            server.signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"


def test_a_client_that_has_connected_just_before_a_stop_gets_an_answer(tmp_path: Path, listener: socket.socket) -> None:
    with (
        on_socket(tmp_path, listener, ["-c", WITH_PATIENCE, str(listener.fileno())]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as client,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as accepted_later,
    ):
        # When this one is answered, the other one has been accepted too.
        accepted_later.sendall(ASKING)
        assert accepted_later.recv(12) == b"HTTP/1.1 200"
        server.signal(signal.SIGTERM)
        while is_listening(server.pid, listener):
            pass
        client.sendall(ASKING)

        assert client.recv(12) == b"HTTP/1.1 200"
        assert server.wait() == 0


ASKING = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
WITH_PATIENCE = """
import sys
from hubbub.serving import server
server.FIRST_REQUEST = 15.0
sys.argv = ["hubbub", "serve", "--fd", sys.argv[1]]
from hubbub.cli import main
main()
"""


def is_listening(process: int, listener: socket.socket) -> bool:
    """Whether a process still has this socket."""
    own = Path(f"/proc/self/fd/{listener.fileno()}").readlink()
    try:
        return own in {file.readlink() for file in Path(f"/proc/{process}/fd").iterdir()}
    except FileNotFoundError:  # a file that was closed meanwhile
        return True


def test_a_server_that_waits_too_long_for_the_directory_says_who_has_it(
    tmp_path: Path, listener: socket.socket
) -> None:
    at_once = {"HUBBUB_DRAIN_TIMEOUT": "0", "HUBBUB_CLOSE_TIMEOUT": "0.1"}
    with serve_on(tmp_path, listener) as old:
        late = on_socket(tmp_path, listener, ["-c", WITHOUT_PATIENCE, str(listener.fileno())], **at_once)
        with late:
            assert late.wait() == 2
        assert f"another Hubbub (process {old.pid}) uses" in late.log


WITHOUT_PATIENCE = """
import sys
from hubbub.serving import server
server.STOPPING = 0.0
sys.argv = ["hubbub", "serve", "--fd", sys.argv[1]]
from hubbub.cli import main
main()
"""


@pytest.mark.parametrize("number", [0, 1_000_000])
def test_a_file_descriptor_that_is_no_socket_ends_the_start_with_one_line(tmp_path: Path, number: int) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "hubbub.cli", "serve", "--fd", str(number)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert result.returncode == 2
    assert result.stderr.startswith(f"hubbub: file descriptor {number} is no socket")
    assert len(result.stderr.splitlines()) == 1


def test_a_socket_that_is_not_for_tcp_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "hubbub.sock"))
        # `inherit` closes what it refuses.
        with pytest.raises(ConfigurationError, match="is no TCP socket"):
            inherit([os.dup(sock.fileno())])
