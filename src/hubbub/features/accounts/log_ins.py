"""Signing up, logging in and out, and whose session a token is. It knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hubbub.accounts.access_changes import AccessChange, AccessChanges, AccessKind, changed
from hubbub.accounts.accounts import (
    Account,
    NewAccount,
    account_of_key,
    account_of_login,
    add_account,
    check_name,
    check_username,
    lock_accounts,
)
from hubbub.accounts.api_keys import digest_of
from hubbub.accounts.bans import Bans
from hubbub.accounts.invitations import check_invitation
from hubbub.accounts.passwords import Hashing, Passwords, check_password
from hubbub.accounts.sessions import (
    LoggedIn,
    NewSession,
    Session,
    begin_session,
    end_sessions,
    find_sessions,
    sessions_of,
)
from hubbub.errors import Conflict, Forbidden, NotFound, Unauthenticated
from hubbub.features.accounts.attempts import Attempts
from hubbub.settings import CurrentSettings
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.questions import Questions
from hubbub.wire.identity import User
from hubbub.wire.keys import fold, is_key

DEADLINE = 5.0
"""Seconds in which the database must say whose session a token is."""
WRONG = "the username or the password is wrong"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody who signs up asks for."""

    username: str
    password: str
    name: str | None = None
    invitation: str | None = None
    is_first: bool = False
    """Whether the newcomer has shown the setup's token."""
    guest: User | None = None


class LogIns:
    """Use it in one event loop, while the database is open."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        changes: AccessChanges,
        attempts: Attempts,
        *,
        current: CurrentSettings,
        bans: Bans,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._changes = changes
        self._attempts = attempts
        self._current = current
        self._bans = bans
        self._sessions: Questions[str, LoggedIn | None] = Questions(
            database, _whose, deadline=DEADLINE, late="the database does not say who this is; come back later"
        )

    async def whose(self, token: str) -> LoggedIn | None:
        """Who has logged in with the session of this token; None if it has ended. Raises `Unavailable`."""
        heard = self._changes.number
        found = await self._sessions.ask(digest_of(token))
        news = self._changes.since(heard)
        if found is None or news is None:
            return None
        # It may have ended while the database was asked.
        ended = {(AccessKind.SESSION, found.session), (AccessKind.USER, fold(found.user.key))}
        return None if any((change.kind, change.subject) in ended for change in news) else found

    async def sign_up(self, wish: Wish, *, address: str, agent: str) -> tuple[Account, NewSession]:
        """Make an account, and log in.

        Raises `Invalid`, `Forbidden` if this person may not sign up, `Conflict` for a username that is taken,
        `RateLimited`, `Unavailable`.
        """
        username, name = check_username(wish.username), check_name(wish.name or wish.username)
        check_password(wish.password, username)
        if wish.guest is not None:
            self._bans.check(wish.guest)
        with self._passwords.place() as hashing:
            await self._attempts.sign_up(address)
            await self._database.read(lambda transaction: self._check(transaction, wish), never_deferred=True)
            stored = await hashing.hash(wish.password)
        new = NewAccount(username, name, stored, is_first=wish.is_first, invitation=wish.invitation, guest=wish.guest)

        def store(transaction: Transaction) -> tuple[Account, NewSession]:
            account = add_account(transaction, new)
            session = NewSession(account.id, agent)
            begin_session(transaction, session, key=account.key)
            return account, session

        return await self._database.transact(store)

    def _check(self, transaction: Transaction, wish: Wish) -> None:
        """Whether it is worth the work of a hash. Who may not sign up is not told which usernames there are."""
        if not wish.is_first:
            sign_up = self._current.now.sign_up
            if sign_up == "closed":
                raise Forbidden("nobody can sign up here; an administrator makes the accounts")
            if wish.invitation is not None:
                check_invitation(transaction, wish.invitation)
            elif sign_up == "invited":
                raise Forbidden("you need an invitation to sign up here; whoever has an account can make one")
        if account_of_login(transaction, wish.username) is not None:
            raise Conflict(f"the username {wish.username!r} is taken; choose another")

    async def log_in(self, username: str, password: str, *, address: str, agent: str) -> tuple[Account, NewSession]:
        """Begin a session.

        Raises `Unauthenticated`: the same, and after the same time, for a username that nobody has, for a wrong
        password and for a deactivated account. `Forbidden` for a banned one, `RateLimited` after too many attempts,
        `Unavailable`.
        """
        login = fold(username) if is_key(username) else ""
        with self._passwords.place() as hashing:
            async with self._attempts.password(login, address):
                account, session, ended = await self._log_in(login, password, hashing, agent=agent)
        self._changes.tell(*ended)
        return account, session

    async def _log_in(
        self, login: str, password: str, hashing: Hashing, *, agent: str
    ) -> tuple[Account, NewSession, list[AccessChange]]:
        account = await self._database.read(
            lambda transaction: account_of_login(transaction, login), never_deferred=True
        )
        stored = account.password if account is not None else None
        matches = await hashing.verify(password, stored)
        if account is None or not matches or account.deactivated is not None:
            raise Unauthenticated(WRONG)
        self._bans.check(account.user)
        key, session = account.key, NewSession(account.id, agent)

        def store(transaction: Transaction) -> tuple[Account, list[AccessChange]]:
            # Whoever sets another password at this moment ends the sessions that there are.
            lock_accounts(transaction)
            now = account_of_key(transaction, key)
            if now.deactivated is not None or now.password != stored:
                raise Unauthenticated(WRONG)
            return now, begin_session(transaction, session, key=key)

        now, ended = await self._database.transact(store)
        return now, session, ended

    async def sessions(self, key: str) -> list[Session]:
        return await self._database.read(lambda transaction: sessions_of(transaction, key), never_deferred=True)

    async def end(self, key: str, session: str) -> None:
        """End a session of this user, with its connections, on all nodes. Raises `NotFound`, `Unavailable`."""

        def store(transaction: Transaction) -> AccessChange:
            if session not in {one.id for one in sessions_of(transaction, key)}:
                raise NotFound("there is no such session")
            end_sessions(transaction, [session])
            return changed(transaction, AccessKind.SESSION, session)

        self._changes.tell(await self._database.transact(store))


def _whose(transaction: Transaction, digests: Sequence[str]) -> list[LoggedIn | None]:
    found = find_sessions(transaction, set(digests))
    return [found.get(digest) for digest in digests]
