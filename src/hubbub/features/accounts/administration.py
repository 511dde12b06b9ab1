"""What changes accounts: by their owners, by administrators and by links. It knows no HTTP.

Whatever takes access away also ends the connections that have it, on all nodes: the change of access is stored in the
same transaction, and told when that is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from hubbub.accounts.access_changes import AccessChange, AccessChanges, AccessKind, changed
from hubbub.accounts.accounts import (
    Account,
    AccountChange,
    account_of_key,
    accounts_after,
    change_account,
    has_administrator,
    lock_accounts,
)
from hubbub.accounts.audit import AuditLine, audit, audit_lines
from hubbub.accounts.bans import is_banned
from hubbub.accounts.invitations import (
    Invitation,
    NewInvitation,
    add_invitation,
    invitations,
    revoke_invitation,
)
from hubbub.accounts.passwords import Passwords, check_password
from hubbub.accounts.resets import NewReset, account_to_reset, add_reset, reset_password
from hubbub.accounts.revocations import Revocations
from hubbub.accounts.sessions import Session, end_sessions, sessions_of
from hubbub.errors import Conflict, NotFound, Unauthenticated
from hubbub.features.accounts.attempts import Attempts
from hubbub.features.people.user_channels import UserChannels
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.wire.codes import CloseCode
from hubbub.wire.identity import Role
from hubbub.wire.keys import fold

T = TypeVar("T")


class Administration:
    """Use it in one event loop, while the database is open."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        changes: AccessChanges,
        revocations: Revocations,
        channels: UserChannels,
        *,
        attempts: Attempts,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._changes = changes
        self._revocations = revocations
        self._channels = channels
        self._attempts = attempts

    # Reading.

    async def account(self, key: str) -> Account | None:
        def read(transaction: Transaction) -> Account | None:
            try:
                return account_of_key(transaction, key)
            except NotFound:
                return None

        return await self._read(read)

    async def accounts(self, *, after: str, q: str, number: int) -> list[Account]:
        return await self._read(lambda transaction: accounts_after(transaction, after=after, q=q, number=number))

    async def audit(self, *, before: str, actor: str, action: str, number: int) -> list[AuditLine]:
        """As `audit_lines`."""
        read = partial(audit_lines, before=before, actor=actor, action=action, number=number)
        return await self._read(read)

    async def invitations(self, *, of: str | None = None) -> list[Invitation]:
        """Those that are still valid: of everybody, or of one maker."""
        return await self._read(lambda transaction: invitations(transaction, of=of))

    async def needs_setup(self) -> bool:
        """Whether nobody can administer this server."""
        return not await self._read(has_administrator)

    async def _read(self, work: Callable[[Transaction], T]) -> T:
        return await self._database.read(work, never_deferred=True)

    # Changing an account.

    async def change(self, change: AccountChange) -> Account:
        """Change what a profile shows, a role, or whether the account may be used. Who is deactivated or has a smaller
        role than before must log in again; for other changes, connections are made again by themselves.

        Raises `NotFound`, `Conflict`, `Unavailable`.
        """

        def store(transaction: Transaction) -> tuple[Account, Account, AccessChange | None]:
            lock_accounts(transaction)
            was = account_of_key(transaction, change.key)
            now = change_account(transaction, change)
            if was.role is not Role.ADMIN and now.role is Role.ADMIN and is_banned(transaction, now.key):
                raise Conflict(f"{now.key!r} is banned from this server: lift the ban first")
            is_less = was.role is Role.ADMIN and now.role is not Role.ADMIN
            if is_less or (now.deactivated is not None and was.deactivated is None):
                return was, now, self._revocations.revoke_in(transaction, fold(was.key))
            return was, now, None

        was, now, revoked = await self._database.transact(store)
        if revoked is not None:
            self._changes.tell(revoked)
        elif was.user != now.user:
            await self._channels.close(now.key, CloseCode.SERVICE_RESTART, "your profile or role has changed")
        return now

    async def prove_password(self, key: str, password: str, *, address: str) -> Account:
        """The account, if this is its password. A wrong one counts as a failed log-in from this address.

        Raises `Unauthenticated`, `NotFound`, `RateLimited`, `Unavailable`.
        """
        account = await self._read(lambda transaction: account_of_key(transaction, key))
        with self._passwords.place() as hashing:
            async with self._attempts.password(account.login, address):
                if not await hashing.verify(password, account.password):
                    raise Unauthenticated("the password is wrong")
        return account

    async def change_password(self, key: str, old: str, new: str, *, kept: str | None, address: str) -> None:
        """Set a new password. All sessions but `kept` end. A wrong `old` counts as a failed log-in from this address.

        Raises `Unauthenticated` if `old` is wrong, `Invalid`, `NotFound`, `RateLimited`, `Unavailable`.
        """
        account = await self._read(lambda transaction: account_of_key(transaction, key))
        check_password(new, account.login)
        with self._passwords.place() as hashing:
            async with self._attempts.password(account.login, address):
                if not await hashing.verify(old, account.password):
                    raise Unauthenticated("the old password is wrong")
            change = AccountChange(account.key, by=account.key, password=await hashing.hash(new))

        def store(transaction: Transaction) -> list[AccessChange]:
            lock_accounts(transaction)
            if account_of_key(transaction, key).password != account.password:
                raise Unauthenticated("the old password is wrong")
            change_account(transaction, change)
            ended = [session.id for session in sessions_of(transaction, key) if session.id != kept]
            end_sessions(transaction, ended)
            return [changed(transaction, AccessKind.SESSION, id) for id in ended]

        self._changes.tell(*await self._database.transact(store))

    # Somebody's sessions.

    async def sessions(self, key: str) -> list[Session]:
        """Where somebody is logged in, the latest use first. Raises `NotFound`."""

        def read(transaction: Transaction) -> list[Session]:
            return sessions_of(transaction, account_of_key(transaction, key).key)

        return await self._read(read)

    async def end_session(self, key: str, session: str, *, by: str) -> None:
        """End one of somebody's sessions, with its connections, on all nodes. Raises `NotFound`, `Unavailable`."""

        def store(transaction: Transaction) -> AccessChange:
            if session not in {one.id for one in sessions_of(transaction, key)}:
                raise NotFound("there is no such session")
            end_sessions(transaction, [session])
            audit(transaction, by, "account.end_session", account_of_key(transaction, key).key)
            return changed(transaction, AccessKind.SESSION, session)

        self._changes.tell(await self._database.transact(store))

    async def end_sessions(self, key: str, *, by: str) -> None:
        """End all of somebody's sessions, with all their connections: they must log in again. Raises `NotFound`,
        `Unavailable`."""

        def store(transaction: Transaction) -> AccessChange:
            account = account_of_key(transaction, key)
            audit(transaction, by, "account.end_sessions", account.key)
            return self._revocations.revoke_in(transaction, fold(account.key))

        self._changes.tell(await self._database.transact(store))

    # Links.

    async def make_reset(self, key: str, *, by: str) -> NewReset:
        """A link's token with which the password can be set once. Raises `NotFound`, `Unavailable`."""
        new = NewReset(key, by)
        await self._database.transact(lambda transaction: add_reset(transaction, new))
        return new

    async def reset(self, token: str, password: str) -> None:
        """Set a password by such a link's token. All sessions of the account end.

        Raises `Forbidden` if the link is not valid, `Invalid`, `RateLimited`, `Unavailable`.
        """
        account = await self._read(lambda transaction: account_to_reset(transaction, token))
        check_password(password, account.login)
        with self._passwords.place() as hashing:
            stored = await hashing.hash(password)

        def store(transaction: Transaction) -> AccessChange:
            reset_password(transaction, token, stored)
            return self._revocations.revoke_in(transaction, fold(account.key))

        self._changes.tell(await self._database.transact(store))

    async def invite(self, new: NewInvitation) -> Invitation:
        """Raises `Conflict` if the maker has too many, `Unavailable`."""
        return await self._database.transact(lambda transaction: add_invitation(transaction, new))

    async def revoke_invitation(self, id: str, *, by: str, of_anybody: bool) -> None:
        """Raises `NotFound`, `Unavailable`."""
        await self._database.transact(
            lambda transaction: revoke_invitation(transaction, id, by=by, of_anybody=of_anybody)
        )
