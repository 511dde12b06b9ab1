"""An application that a foreign server runs in several processes says so, or does not start."""

import subprocess
from pathlib import Path

import pytest

from tests.people import person
from tests.servers import Redis, WebServer, uvicorn_server
from tests.waiting import eventually

pytestmark = pytest.mark.slow(3)

SAID = "this is one of several worker processes, and they cannot see each other"
APP = ("hubbub.serving:create_app", "--factory")
STARTED = "Application startup complete"


def two_workers(folder: Path, **environment: str) -> WebServer:
    server = uvicorn_server(folder, *APP, "--workers", "2", environment=environment)
    server.ready_path = "/health/live"
    return server


@pytest.mark.slow(5)
async def test_two_workers_without_a_broker_say_once_that_they_cannot_see_each_other(tmp_path: Path) -> None:
    with two_workers(tmp_path, HUBBUB_DATABASE_URL="none") as server:
        await eventually(lambda: server.log.count(STARTED) == 2, deadline=60)

        assert server.log.count(SAID) == 1


@pytest.mark.slow(5)
async def test_two_workers_on_postgresql_without_a_broker_say_so_as_well(tmp_path: Path, postgres: str) -> None:
    with two_workers(tmp_path, HUBBUB_DATABASE_URL=postgres) as server:
        await eventually(lambda: server.log.count(STARTED) == 2, deadline=60)

        assert server.log.count(SAID) == 1


@pytest.mark.slow(5)
async def test_two_workers_with_a_broker_see_each_other_and_say_nothing(tmp_path: Path, redis: Redis) -> None:
    with two_workers(tmp_path, HUBBUB_DATABASE_URL="none", HUBBUB_BROKER_URL=redis.url) as server:
        await eventually(lambda: server.log.count(STARTED) == 2, deadline=60)

        assert SAID not in server.log


@pytest.mark.slow(5)
def test_two_workers_on_one_sqlite_file_do_not_start(tmp_path: Path) -> None:
    server = two_workers(tmp_path)
    ended = subprocess.run(
        server.command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=server.environment
    )

    assert "another Hubbub (process " in ended.stderr
    assert "several processes need PostgreSQL and a broker" in ended.stderr


@pytest.mark.slow(5)
async def test_a_server_that_reloads_is_one_process(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "app.py").write_text("")
    server = uvicorn_server(
        tmp_path, *APP, "--reload", "--reload-dir", str(watched), environment={"HUBBUB_DATABASE_URL": "none"}
    )
    server.ready_path = "/health/live"
    with server:
        (watched / "app.py").write_text("touched = True\n")
        await eventually(lambda: server.log.count(STARTED) == 2, deadline=60)

        assert SAID not in server.log


async def test_programs_that_were_started_singly_are_not_taken_for_workers(tmp_path: Path) -> None:
    alone = {"HUBBUB_DATABASE_URL": "none"}
    with (
        uvicorn_server(tmp_path, *APP, environment=alone) as first,
        uvicorn_server(tmp_path, *APP, environment=alone) as second,
    ):
        async with person(first, "alice"), person(second, "bob"):
            assert SAID not in first.log + second.log
