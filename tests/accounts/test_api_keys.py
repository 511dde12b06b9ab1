"""Which API keys a node accepts, and how often it reads them."""

import asyncio
import logging
import os
import stat
from pathlib import Path

import pytest

from hubbub.accounts.api_keys import FRESH, ApiKey, ApiKeys, KeyFiles, make_key
from hubbub.errors import Unavailable


class Shelf:
    """Keys in memory, which count how often they are read."""

    place = "memory"

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = list(keys)
        self.reads = 0
        self.problem: Exception | None = None

    async def load(self) -> list[ApiKey]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        return list(self.keys)

    async def add(self, key: ApiKey, *, by: str = "") -> bool:
        raise NotImplementedError

    async def remove(self, name: str, *, by: str = "") -> bool:
        raise NotImplementedError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_keys_are_read_at_most_once_in_a_while_however_many_are_shown() -> None:
    key, secret = make_key("billing", ["rooms:send"])
    shelf, clock = Shelf(key), Clock()
    keys = ApiKeys(shelf, clock=clock)

    found = await asyncio.gather(*(keys.find(one) for one in [secret, "hb_wrong"] * 50))
    assert found == [key, None] * 50
    assert shelf.reads == 1

    shelf.keys.clear()
    clock.now += FRESH / 2
    assert await keys.find(secret) == key
    clock.now += FRESH / 2
    assert await keys.find(secret) is None
    assert shelf.reads == 2


async def test_a_key_is_not_believed_while_the_keys_cannot_be_read() -> None:
    key, secret = make_key("billing", ["rooms:send"])
    shelf, clock = Shelf(key), Clock()
    keys = ApiKeys(shelf, clock=clock)
    assert await keys.find(secret) == key

    shelf.problem = Unavailable("the database does not answer")
    clock.now += FRESH
    with pytest.raises(Unavailable):
        await keys.find(secret)
    shelf.problem = None
    clock.now += FRESH
    assert await keys.find(secret) == key


async def test_wrong_keys_do_not_make_a_store_that_fails_work_more() -> None:
    shelf, clock = Shelf(), Clock()
    shelf.problem = Unavailable("the database does not answer")
    keys = ApiKeys(shelf, clock=clock)

    for _ in range(100):
        with pytest.raises(Unavailable) as refused:
            await keys.find("hb_wrong")

    assert shelf.reads == 1
    assert len(refused.traceback) < 10


async def test_a_server_without_a_place_for_keys_accepts_none() -> None:
    assert await ApiKeys(None, clock=Clock()).find("hb_x") is None


async def test_a_key_does_not_replace_another_one_of_its_name(tmp_path: Path) -> None:
    first, second = (make_key("billing", ["rooms:send"])[0] for _ in range(2))

    added = [await KeyFiles(tmp_path / "data").add(key) for key in (first, second)]

    assert added == [True, False]
    assert await KeyFiles(tmp_path / "data").load() == [first]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
async def test_only_the_servers_user_can_read_the_files(tmp_path: Path) -> None:
    await KeyFiles(tmp_path / "data").add(make_key("billing", ["rooms:send"])[0])

    for made in [tmp_path / "data", *(tmp_path / "data").rglob("*")]:
        assert not stat.S_IMODE(made.stat().st_mode) & 0o077


async def test_a_broken_file_is_reported_once_and_hides_no_other_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = KeyFiles(tmp_path)
    key, _ = make_key("billing", ["rooms:send"])
    await files.add(key)
    (tmp_path / "api-keys" / "a.json").write_text('{"digest": "canary')
    os.mkfifo(tmp_path / "api-keys" / "b.json")

    with caplog.at_level(logging.WARNING):
        assert [await files.load() for _ in range(2)] == [[key], [key]]

    assert sorted(record.getMessage().rpartition("/")[2] for record in caplog.records) == [
        "a.json is ignored: it holds no key",
        "b.json is ignored: it is not a regular file",
    ]
