"""The rules of accounts, sessions and links, on both engines."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from hubbub.accounts import access_changes, bans, sessions
from hubbub.accounts.accounts import AccountChange, NewAccount, account_of_login, add_account, change_account
from hubbub.accounts.api_keys import digest_of
from hubbub.accounts.audit import audit_lines, forget_old_lines
from hubbub.accounts.invitations import NewInvitation, add_invitation, invitations, remove_old_invitations
from hubbub.accounts.passwords import NOBODYS, Passwords
from hubbub.accounts.resets import NewReset, add_reset, reset_password
from hubbub.accounts.sessions import NewSession, begin_session, find_sessions, remove_old_sessions, sessions_of
from hubbub.errors import Conflict, Forbidden, RateLimited
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.tables import NAME, SCRIPTS, faults
from hubbub.features.bans.feature import BansFeature
from hubbub.store.base import Engine, Transaction
from hubbub.store.database import Database
from hubbub.store.feature_tables import Tables, bring_up_to_date
from hubbub.store.operations import upgrade
from hubbub.wire.identity import Role
from tests.store.databases import Opener, empty_engine, run_sql

__all__ = ["empty_engine"]

T = TypeVar("T")

HASH = "a hash"


@pytest.fixture
async def database(empty_engine: Engine, open_database: Opener) -> Database:
    """A database of its own: the tables would stay in the template that other tests share."""
    upgrade(empty_engine)
    database = await open_database(empty_engine)
    await bring_up_to_date(
        database,
        [
            Tables(NAME, SCRIPTS),
            Tables(BansFeature.name, bans.TABLES),
            Tables(AccessFeature.name, access_changes.TABLES),
        ],
    )
    return database


def new(username: str, **fields: Any) -> NewAccount:
    return NewAccount(username, username.title(), HASH, **fields)


async def test_accounts_sessions_invitations_and_links_are_kept_and_end(database: Database) -> None:
    def do(work: Callable[[Transaction], T]) -> Any:
        return database.transact(work)

    # Of many who want one username, one gets it.
    made = await asyncio.gather(
        *(do(lambda transaction: add_account(transaction, new("alice"))) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in made) == ["Account", "Conflict", "Conflict"]
    first = [do(partial(add_account, new=new(name, is_first=True))) for name in ("root", "eve")]
    one: Any
    one, other = await asyncio.gather(*first, return_exceptions=True)
    assert (one.role, type(other)) == (Role.ADMIN, Conflict)
    with pytest.raises(Conflict, match="nobody would be left"):
        await do(lambda transaction: change_account(transaction, AccountChange("root", by="root", role=Role.MEMBER)))

    # An invitation is used as often as it may be, also by people who come at once.
    invitation = NewInvitation("alice", Role.MEMBER, 2, int((time.time() + 60) * 1000))
    await do(lambda transaction: add_invitation(transaction, invitation))
    invited = [
        do(partial(add_account, new=new(name, invitation=invitation.token))) for name in ("bob", "carol", "dave")
    ]
    answers = await asyncio.gather(*invited, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Account", "Account", "Forbidden"]
    await do(remove_old_invitations)
    assert await database.read(invitations) == []

    # A link sets a password once.
    link = NewReset("alice", "root")
    await do(lambda transaction: add_reset(transaction, link))
    await do(lambda transaction: reset_password(transaction, link.token, "another hash"))
    with pytest.raises(Forbidden):
        await do(lambda transaction: reset_password(transaction, link.token, "a third hash"))
    alice = await database.read(lambda transaction: account_of_login(transaction, "ALICE"))
    assert alice is not None
    assert alice.password == "another hash"
    assert HASH not in repr(one)

    lines = await database.read(audit_lines)
    assert [line.action for line in lines][:2] == ["account.password", "account.reset_link"]
    assert len({line.id for line in lines}) == len(lines)
    assert await database.read(faults) == []


async def test_sessions_end_by_time_and_when_there_are_too_many(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await database.transact(lambda transaction: add_account(transaction, new("alice")))
    monkeypatch.setattr(sessions, "MOST", 2)

    async def begin() -> NewSession:
        session = NewSession(alice.id, "a browser")
        await database.transact(lambda transaction: begin_session(transaction, session, key="alice"))
        return session

    begun = [await begin() for _ in range(3)]

    left = await database.read(lambda transaction: sessions_of(transaction, "ALICE"))
    assert len(left) == 2
    assert begun[2].id in {session.id for session in left}
    assert begun[0].token not in repr(begun[0])
    digest = digest_of(begun[2].token)
    found = await database.read(lambda transaction: find_sessions(transaction, [digest, "unknown"]))
    assert (list(found), found[digest].user.key) == ([digest], "alice")

    await database.write(run_sql, "UPDATE sessions SET expires = 1")
    assert await database.read(lambda transaction: find_sessions(transaction, [digest])) == {}
    await database.transact(remove_old_sessions)
    assert await database.read(lambda transaction: sessions_of(transaction, "alice")) == []


async def test_lines_of_the_audit_log_are_deleted_when_they_are_too_old(database: Database) -> None:
    for name in ("alice", "bob"):
        await database.transact(partial(add_account, new=new(name)))
    a_year_ago = int((time.time() - 366 * 86_400) * 1000)
    await database.write(run_sql, f"UPDATE audit SET at = {a_year_ago} WHERE actor = 'alice'")

    await database.transact(partial(forget_old_lines, days=367))
    assert [line.actor for line in await database.read(audit_lines)] == ["bob", "alice"]
    await database.transact(partial(forget_old_lines, days=365))
    assert [line.actor for line in await database.read(audit_lines)] == ["bob"]


async def test_a_check_of_the_database_finds_what_is_wrong(database: Database) -> None:
    await database.transact(lambda transaction: add_account(transaction, new("alice")))
    await database.write(run_sql, "UPDATE accounts SET role = 'king', deactivated = 1")
    await database.write(run_sql, "UPDATE users SET identity = 'a guest'")
    await database.write(run_sql, "INSERT INTO sessions SELECT 'one', 'two', user_id, 1, 1, 1, '' FROM accounts")

    assert sorted(await database.read(faults)) == [
        "the account alice has a role that does not exist",
        "the account alice has the key of a guest",
        "the account alice is deactivated and has sessions",
    ]


async def test_a_database_without_accounts_is_in_order(empty_engine: Engine, open_database: Opener) -> None:
    assert await (await open_database(empty_engine)).read(faults) == []


async def test_only_so_many_wait_for_a_hash_and_the_rest_is_told_to_come_back() -> None:
    passwords = Passwords(waiting=1)

    async def check() -> bool:
        with passwords.place() as hashing:
            return await hashing.verify("correct horse", None)

    answers = await asyncio.gather(*(check() for _ in range(5)), return_exceptions=True)

    assert [answer for answer in answers if not isinstance(answer, RateLimited)] == [False, False]
    with passwords.place() as hashing:
        stored = await hashing.hash("ﬁ correct horse")
    passwords.close()
    assert stored.split("$")[1:4] == NOBODYS.split("$")[1:4] == ["argon2id", "v=19", "m=19456,t=2,p=1"]


async def test_a_password_is_the_same_whichever_keyboard_has_typed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.accounts.passwords.MEMORY", 64)
    passwords = Passwords()
    with passwords.place() as hashing:
        stored = await hashing.hash("cafe\u0301 au lait")

        assert await hashing.verify("caf\u00e9 au lait", stored)
        assert not await hashing.verify("cafe au lait", stored)
        assert not await hashing.verify("caf\u00e9 au lait", "no hash at all")
    passwords.close()
