"""On SQLite each start is an epoch: positions are valid after restarts, and positions of changes that were lost are
refused."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.errors import NotFound, Unavailable
from hubbub.features.messages import log_sql
from hubbub.features.messages.log import Recovery
from hubbub.store import epochs, sqlite
from hubbub.store.database import Database
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from tests.logbook import Logbook
from tests.store.databases import Opener, open_database

__all__ = ["open_database"]

ALICE = User("alice", "Alice")
ROOM = "general"
ROOMS = [f"room{number}" for number in range(20)]


class Town:
    """A data directory and its server's log. It can be restarted, and copies of it can be put back."""

    def __init__(self, folder: Path, open_database: Opener) -> None:
        self.engine = SQLite(folder)
        self._open_database = open_database
        self._database: Database | None = None

    @property
    def log(self) -> Logbook:
        assert self._database is not None
        return Logbook(self._database)

    async def start(self) -> None:
        self._database = await self._open_database(self.engine)

    async def stop(self) -> None:
        assert self._database is not None
        await self._database.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def say(self, number: int = 1, room: str = ROOM) -> None:
        for turn in range(number):
            await self.log.send(ALICE, room, f"{turn}")

    async def position(self, room: str = ROOM) -> tuple[int, str]:
        head = await self.log.head(room)
        return head.rev, head.epoch

    async def come_back(self, position: tuple[int, str], room: str = ROOM) -> Recovery:
        return await self.log.recover(room, *position)

    async def recovers(self, position: tuple[int, str], room: str = ROOM) -> bool:
        return (await self.come_back(position, room)).recovered

    def copy(self, folder: Path) -> None:
        """Like `cp -r` of the directory of a server that runs or was killed."""
        folder.mkdir()
        for suffix in ("", "-wal"):
            file = self.engine.path.with_name(self.engine.path.name + suffix)
            if file.exists():
                (folder / file.name).write_bytes(file.read_bytes())

    def put_back(self, folder: Path) -> None:
        shutil.rmtree(self.engine.path.parent)
        shutil.copytree(folder, self.engine.path.parent)

    def count(self, table: str) -> int:
        with closing(sqlite3.connect(f"file:{self.engine.path}?mode=ro", uri=True)) as beside:
            (number,) = beside.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(number)


@pytest.fixture
async def town(tmp_path: Path, open_database: Opener) -> Town:
    town = Town(tmp_path / "data", open_database)
    await town.start()
    return town


async def test_positions_from_before_restarts_are_gone_on_from_however_often_the_room_changed(town: Town) -> None:
    positions = []
    for _ in range(5):
        await town.say(2)
        positions.append(await town.position())
        await town.restart()

    assert len({epoch for _, epoch in positions}) == 5
    for rev, epoch in positions:
        recovery = await town.come_back((rev, epoch))
        assert (recovery.recovered, recovery.since) == (True, rev)
        assert [message.rev for message in recovery.messages] == list(range(rev + 1, 11))


async def test_a_position_in_an_epoch_that_did_not_touch_the_room_is_gone_on_from(town: Town) -> None:
    await town.say(2)
    await town.restart()
    position = await town.position()
    await town.restart()
    assert await town.recovers(position)
    await town.say()
    await town.restart()
    await town.say()

    recovery = await town.come_back(position)

    assert [message.rev for message in recovery.messages] == [3, 4]


async def test_a_position_from_before_a_room_was_spoken_in_is_gone_on_from(town: Town) -> None:
    position = await town.position()
    await town.restart()
    await town.say(2)

    assert [message.rev for message in (await town.come_back(position)).messages] == [1, 2]


async def test_a_recovery_of_several_pages_continues_over_a_restart(town: Town) -> None:
    await town.say()
    position = await town.position()
    await asyncio.gather(*(town.say() for _ in range(300)))
    await town.restart()
    await asyncio.gather(*(town.say() for _ in range(300)))

    recovery = await town.come_back(position)

    assert [message.rev for message in recovery.messages] == list(range(2, 602))


async def test_a_copy_that_is_put_back_does_not_know_positions_of_what_is_lost(town: Town, tmp_path: Path) -> None:
    await town.say(6)
    copied = await town.position()
    town.copy(tmp_path / "copy")
    await town.say(4)
    lost = await town.position()
    await town.stop()
    town.put_back(tmp_path / "copy")
    await town.start()

    assert copied[1] == lost[1]
    assert await town.recovers(copied)
    assert not await town.recovers(lost)
    # The numbers are reached again, by other changes.
    await town.say(20)
    assert [message.rev for message in (await town.come_back(copied)).messages] == list(range(7, 27))
    for rev in (7, 10):
        assert not await town.recovers((rev, lost[1]))


async def test_starts_that_a_copy_has_not_seen_are_none_of_its_epochs(town: Town, tmp_path: Path) -> None:
    await town.say(6)
    town.copy(tmp_path / "copy")
    await town.restart()
    await town.say()
    lost = await town.position()
    await town.stop()
    town.put_back(tmp_path / "copy")
    await town.start()
    await town.say(5)

    assert not await town.recovers(lost)


async def test_two_copies_that_both_run_do_not_know_each_other_s_positions(
    town: Town, tmp_path: Path, open_database: Opener
) -> None:
    await town.say(3)
    common = await town.position()
    await town.stop()
    town.copy(tmp_path / "other")
    other = Town(tmp_path / "other", open_database)
    for each in (town, other):
        await each.start()
        await each.say(5)

    assert not await town.recovers(await other.position())
    assert not await other.recovers(await town.position())
    assert await town.recovers(common)
    assert await other.recovers(common)


async def test_rows_that_a_kill_left_deferred_belong_to_the_earlier_epoch(
    town: Town, tmp_path: Path, open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "DEFERRED_FROM", 1)
    await town.say(4)
    epoch = (await town.position())[1]
    await town.say(1)
    town.copy(tmp_path / "killed")
    killed = Town(tmp_path / "killed", open_database)
    assert killed.count("deferred") > 0
    await killed.start()
    await killed.say()

    assert [message.rev for message in (await killed.come_back((5, epoch))).messages] == [6]


@pytest.mark.parametrize("change", ["edit", "trim", "refused and said"])
async def test_the_first_change_of_a_room_ends_it_in_the_earlier_epoch(town: Town, change: str) -> None:
    await town.say(3)
    rev, epoch = await town.position()
    await town.restart()
    match change:
        case "edit":
            await town.log.edit(ALICE, ROOM, 1, "edited")
        case "trim":
            await town.log.trim(ROOM, 1)
        case _:
            with pytest.raises(NotFound):
                await town.log.edit(ALICE, ROOM, 99, "edited")
            await town.say()

    assert await town.recovers((rev, epoch))
    assert not await town.recovers((rev + 1, epoch))


async def test_however_often_it_is_restarted_what_is_kept_is_bounded(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "KEPT", 60)
    positions = []
    for _ in range(log_sql.ENDS_KEPT + 12):
        await town.say()
        positions.append(await town.position())
        await town.restart()
    await town.say()

    assert town.count("epochs") == 60
    assert town.count("room_ends") == log_sql.ENDS_KEPT
    assert not await town.recovers(positions[0])
    assert await town.recovers(positions[-log_sql.ENDS_KEPT])


async def test_where_another_program_locks_the_file_at_a_start_the_epoch_begins_before_the_first_change(
    town: Town,
) -> None:
    await town.say(3)
    position = await town.position()
    await town.stop()
    with closing(sqlite3.connect(town.engine.path)) as beside:
        beside.execute("BEGIN IMMEDIATE")
        await town.start()
        with pytest.raises(Unavailable):
            await town.say()
        beside.execute("ROLLBACK")

    await town.say()

    assert (await town.position())[1] != position[1]
    assert [message.rev for message in (await town.come_back(position)).messages] == [4]
