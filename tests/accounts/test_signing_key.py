"""The keys that sign what guests are given: the same on all nodes, and kept where only the server may read them."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from hubbub.accounts.signing_key import FILE_NAME, Secret, SigningKeys, fingerprint, load_signing_keys, make_key_in_file
from hubbub.errors import ConfigurationError
from hubbub.store.cluster import cluster_id
from hubbub.store.database import Database
from hubbub.store.postgres import Postgres

OLD, NEW, OTHER = (
    b"the old secret of this cluster, 1",
    b"the new secret of this cluster, 2",
    b"another cluster's secret, of all 3",
)


# In a file.


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = make_key_in_file(tmp_path / "data")

    assert len(key) >= 32
    assert make_key_in_file(tmp_path / "data") == key
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600


def test_two_directories_have_two_keys(tmp_path: Path) -> None:
    assert make_key_in_file(tmp_path / "one") != make_key_in_file(tmp_path / "two")


def test_a_directory_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="--data-dir or HUBBUB_DATA_DIR"):
        make_key_in_file(tmp_path / "file" / "data")


def test_a_key_that_is_too_short_is_not_used(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("short\n")

    with pytest.raises(ConfigurationError, match="no usable key"):
        make_key_in_file(tmp_path)


# Signatures.


def test_a_previous_key_is_believed_and_signs_nothing() -> None:
    signature = SigningKeys(OLD).sign("alice")
    changed = SigningKeys(NEW, OLD)

    assert changed.have_signed("alice", signature)
    assert not changed.have_signed("bob", signature)
    assert changed.sign("alice") == SigningKeys(NEW).sign("alice") != signature
    assert not SigningKeys(NEW).have_signed("alice", signature)


# Nodes that share no database.


async def test_a_secret_of_the_settings_leaves_no_file(tmp_path: Path) -> None:
    keys = await load_signing_keys(Secret(NEW, OLD), data_dir=tmp_path, shared=None)

    assert keys == [NEW, OLD]
    assert not (tmp_path / FILE_NAME).exists()


async def test_the_key_of_a_data_directory_goes_on_to_be_used(tmp_path: Path) -> None:
    kept = make_key_in_file(tmp_path)

    assert await load_signing_keys(Secret(), data_dir=tmp_path, shared=None) == [kept]
    assert await load_signing_keys(Secret(NEW, kept), data_dir=tmp_path, shared=None) == [NEW, kept]


async def test_without_a_place_to_keep_it_each_start_has_a_key_of_its_own() -> None:
    keys = [await load_signing_keys(Secret(), data_dir=None, shared=None) for _ in range(2)]

    assert keys[0] != keys[1]


# Nodes that share a database.


@pytest.fixture
async def shared(postgres: str) -> AsyncIterator[Database]:
    database = Database(Postgres(postgres))
    await database.start()
    yield database
    await database.stop()


async def keys_of(shared: Database, secret: Secret, data_dir: Path | None = None) -> list[bytes]:
    return await load_signing_keys(secret, data_dir=data_dir, shared=shared)


async def test_nodes_without_a_secret_sign_with_one_key_of_their_database(shared: Database, tmp_path: Path) -> None:
    first = await keys_of(shared, Secret(), tmp_path / "one")

    assert await keys_of(shared, Secret(), tmp_path / "two") == first
    assert len(first[0]) >= 32
    assert not (tmp_path / "one").exists()


async def test_the_key_of_the_first_nodes_data_directory_becomes_that_of_all(shared: Database, tmp_path: Path) -> None:
    """A server that had its key in a file until now: nobody loses their name."""
    kept = make_key_in_file(tmp_path / "one")
    make_key_in_file(tmp_path / "two")

    assert await keys_of(shared, Secret(), tmp_path / "one") == [kept]
    assert await keys_of(shared, Secret(), tmp_path / "two") == [kept]


async def test_a_node_with_another_secret_does_not_start(shared: Database) -> None:
    assert await keys_of(shared, Secret(OLD)) == [OLD]
    assert await keys_of(shared, Secret(OLD)) == [OLD]

    with pytest.raises(ConfigurationError, match="HUBBUB_SECRET is not the one") as refused:
        await keys_of(shared, Secret(OTHER))
    with pytest.raises(ConfigurationError, match="has none: give it the same"):
        await keys_of(shared, Secret())

    for secret in (OLD, OTHER):
        assert secret.decode() not in str(refused.value)


async def test_a_secret_is_changed_by_giving_the_previous_one_too(shared: Database) -> None:
    await keys_of(shared, Secret(OLD))

    assert await keys_of(shared, Secret(NEW, OLD)) == [NEW, OLD]
    # A node that still has them the other way round, while all are restarted one by one.
    assert await keys_of(shared, Secret(OLD, NEW)) == [OLD, NEW]
    assert await keys_of(shared, Secret(NEW, OLD)) == [NEW, OLD]
    assert await keys_of(shared, Secret(NEW)) == [NEW]
    with pytest.raises(ConfigurationError, match="HUBBUB_PREVIOUS_SECRET"):
        await keys_of(shared, Secret(OLD))


async def test_what_the_databases_key_signed_is_believed_once_there_is_a_secret_and_afterwards(
    shared: Database,
) -> None:
    (made,) = await keys_of(shared, Secret())

    assert await keys_of(shared, Secret(NEW)) == [NEW, made]
    assert await keys_of(shared, Secret(None, NEW)) == [made, NEW]
    assert await keys_of(shared, Secret()) == [made]


async def test_the_database_holds_a_fingerprint_and_not_the_secret(shared: Database, postgres: str) -> None:
    await keys_of(shared, Secret(NEW, OLD))

    with psycopg.connect(postgres) as connection:
        stored = connection.execute("SELECT * FROM cluster").fetchone()
    assert stored is not None
    assert fingerprint(NEW, await cluster_id(shared)) in stored
    assert not {NEW.decode(), OLD.decode()} & {str(value) for value in stored}


def test_a_fingerprint_says_nothing_about_the_same_secret_elsewhere() -> None:
    assert fingerprint(NEW, "one cluster") != fingerprint(NEW, "another")
