"""The database that the bench fills is like one that a server has written, with messages like those of people."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from bench import cli, programs
from bench.fill import fill, filled
from hubbub.features.messages.log_check import check_rooms
from hubbub.store.database import Database
from hubbub.store.operations import check
from hubbub.store.sqlite import SQLite
from hubbub.store.statement import Statement
from tests.logbook import Logbook

MESSAGES = 3000
COUNTS = Statement(
    """
    SELECT count(*) AS messages, count(edited) AS edited, count(deleted) AS deleted, count(reactions) AS reacted,
        count(reply_to) AS replies, count(key) AS keyed
    FROM messages
    """,
    columns=("messages", "edited", "deleted", "reacted", "replies", "keyed"),
)
SIZES = Statement("SELECT seq FROM rooms ORDER BY seq DESC", columns=("seq",))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SQLite:
    data_dir = tmp_path_factory.mktemp("filled")
    assert cli.main(["fill", "--messages", str(MESSAGES), "--data-dir", str(data_dir)]) == 0
    return SQLite(data_dir)


def test_the_database_has_the_wanted_size_and_no_damage(engine: SQLite) -> None:
    assert check(engine, check_rooms) == []
    with closing(engine.open_writer()), closing(engine.open_reader()) as reader:
        ((messages, edited, deleted, reacted, replies, keyed),) = reader.snapshot(lambda read: read.rows(COUNTS))
    assert messages == keyed == MESSAGES
    assert 0 < deleted < edited < reacted < replies < MESSAGES / 10


def test_few_rooms_have_most_of_the_messages(engine: SQLite) -> None:
    with closing(engine.open_writer()), closing(engine.open_reader()) as reader:
        sizes = [row[0] for row in reader.snapshot(lambda read: read.rows(SIZES))]
    assert sizes[0] > MESSAGES / 10
    assert sum(sizes[:50]) > MESSAGES / 2
    assert len(sizes) > 200


def test_the_same_number_gives_the_same_conversation(engine: SQLite, tmp_path: Path) -> None:
    fill(tmp_path, MESSAGES)

    async def latest(data_dir: Path) -> list[tuple[str, str, str]]:
        database = Database(SQLite(data_dir))
        await database.start()
        try:
            page = await Logbook(database).latest("room1", 200)
            return [(message.user, message.text, message.ts) for message in page.messages]
        finally:
            await database.stop()

    assert asyncio.run(latest(tmp_path)) == asyncio.run(latest(engine.path.parent))


def test_an_existing_database_is_not_changed(engine: SQLite, capsys: pytest.CaptureFixture[str]) -> None:
    before = engine.path.read_bytes()
    assert cli.main(["fill", "--messages", "10", "--data-dir", str(engine.path.parent)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert engine.path.read_bytes() == before


def test_the_database_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    assert filled(10) == filled(10)
    assert capsys.readouterr().err.count("filling a database with 10 messages (once)") == 1
