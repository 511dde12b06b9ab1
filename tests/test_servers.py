"""The fixtures start real processes: each one is tested once."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
import redis as redis_client
from playwright.async_api import Page

from tests.conftest import PageFactory, UvicornFactory
from tests.ports import BLOCKS, free_port
from tests.servers import REPOSITORY, START_DEADLINE, Redis, accepts_connections
from tests.warm import can_start, start

ECHO = "tests.autobahn.echo_app:app"


def test_a_free_port_is_given_neither_to_another_process_nor_to_a_client() -> None:
    here = {free_port() for _ in range(BLOCKS.step)}
    asking = "from tests.ports import *; print(*(free_port() for _ in range(BLOCKS.step)))"
    output = subprocess.check_output([sys.executable, "-c", asking], cwd=REPOSITORY, text=True)
    there = {int(port) for port in output.split()}

    assert len(here) > 1
    assert here.isdisjoint(there)
    with socket.create_server(("127.0.0.1", 0)) as chosen_by_the_system:
        assert max(here | there) < BLOCKS.stop <= chosen_by_the_system.getsockname()[1]


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])
def test_a_uvicorn_server_answers_and_stops_when_told(uvicorn: UvicornFactory, ws: str) -> None:
    server = uvicorn(ECHO, ws=ws)

    assert httpx.get(server.url + "/openapi.json").status_code == 200
    server.stop()
    assert not accepts_connections(server.port)


def test_a_server_that_was_killed_starts_again_on_its_port(uvicorn: UvicornFactory) -> None:
    server = uvicorn(ECHO)
    port, first = server.port, server.pid

    server.kill()
    server.start()

    assert server.port == port
    assert server.pid != first


SHOWN = """
import atexit, json, os, sys
atexit.register(print, "at the end")
print(json.dumps([__name__, sys.argv, os.getcwd(), dict(os.environ), sys.path[:2], sys.stdin.read()]))
sys.exit(3)
"""


def test_a_module_finds_in_a_warm_process_what_it_finds_in_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(SHOWN)
    command = [sys.executable, "-m", "shown", "--option"]
    environment = {"PATH": "/bin", "LC_CTYPE": "C.UTF-8", "PYTHONPATH": str(REPOSITORY)}
    assert can_start(command, environment)

    with (tmp_path / "log").open("wb") as log:
        process = start(command, cwd=tmp_path, env=environment, log=log.fileno())
    status = process.wait(START_DEADLINE)

    usual = subprocess.run(
        command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (status, (tmp_path / "log").read_bytes()) == (usual.returncode, usual.stdout) == (3, usual.stdout)


def test_the_status_of_a_warm_process_names_the_signal_that_ended_it(uvicorn: UvicornFactory) -> None:
    assert uvicorn(ECHO).kill() == -signal.SIGKILL


def test_a_server_that_cannot_start_fails_with_its_log(uvicorn: UvicornFactory) -> None:
    with pytest.raises(AssertionError, match="no_such_app"):
        uvicorn("tests.no_such_app:app")


def test_redis_is_empty_for_each_test(redis: Redis) -> None:
    with redis_client.Redis.from_url(redis.url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_redis_is_empty_after_another_test(redis: Redis) -> None:
    test_redis_is_empty_for_each_test(redis)


def test_redis_can_be_killed_and_started_again(tmp_path: Path, redis_server: Redis) -> None:
    with Redis(tmp_path) as own:
        own.kill()
        assert not own.is_ready()
        own.start()
        assert own.is_ready()
        assert own.port != redis_server.port


def test_a_postgres_database_is_new_and_empty(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found == (0,)


async def test_pages_of_two_people_share_nothing(new_page: PageFactory, uvicorn: UvicornFactory) -> None:
    server = uvicorn(ECHO)
    alice: Page = await new_page()
    bob: Page = await new_page(color_scheme="dark")
    await alice.goto(server.url + "/openapi.json")
    await bob.goto(server.url + "/openapi.json")

    await alice.evaluate("localStorage.setItem('name', 'alice')")

    assert await bob.evaluate("localStorage.getItem('name')") is None
    assert await bob.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
