"""Logging in at a provider: begins, comes back, and finds or makes the account. It knows no HTTP.

What a log-in in progress needs is kept by the browser, sealed, so that any node can finish it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from hubbub.accounts.access_changes import AccessChange, AccessChanges
from hubbub.accounts.accounts import (
    Account,
    NewAccount,
    account_of_login,
    add_account,
    check_name,
    check_username,
    lock_accounts,
)
from hubbub.accounts.bans import Bans
from hubbub.accounts.identities import account_of_identity, add_identity
from hubbub.accounts.invitations import check_invitation
from hubbub.accounts.openid import LogInRefused, Person, Progress, Provider
from hubbub.accounts.seals import seal, unseal
from hubbub.accounts.sessions import NewSession, begin_session
from hubbub.accounts.users import made_key
from hubbub.errors import Conflict, Forbidden, Invalid
from hubbub.features.accounts.attempts import Attempts
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.features.people.feature import PeopleFeature
from hubbub.settings import CurrentSettings
from hubbub.shared_limits.base import SharedLimits
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.wire.identity import User

LASTS = 600
"""Seconds that somebody may take to log in at the provider."""
PURPOSE = "openid"
UNNAMED = "user"
"""How the key of somebody begins whom the provider gives no name that can be a key."""


class OpenIdLogIns:
    """Use it in one event loop, while the database is open."""

    def __init__(
        self,
        provider: Provider,
        database: Database,
        accounts: AccountsFeature,
        people: PeopleFeature,
        changes: AccessChanges,
        *,
        limits: SharedLimits,
        current: CurrentSettings,
        bans: Bans,
        everybody_may: bool,
    ) -> None:
        self._provider = provider
        self._database = database
        self._accounts = accounts
        self._people = people
        self._changes = changes
        self._current = current
        self._bans = bans
        self._everybody_may = everybody_may
        self._attempts = Attempts(limits, current)

    async def begin(self, *, invitation: str | None, setup: str | None, secret: str | None) -> tuple[str, str]:
        """Returns the provider's address, and what the browser must keep until it comes back. `secret` is a guest's.

        Raises `Forbidden` for a link that is not valid any more, `Unauthenticated` for a secret that we did not give,
        `RateLimited`, `Unavailable`.
        """
        if secret is not None:
            self._people.guests.prove(secret)
        if setup is not None:
            await self._accounts.check_setup(setup)
        if invitation is not None:
            token = invitation
            await self._database.read(lambda transaction: check_invitation(transaction, token), never_deferred=True)
        progress = Progress()
        address = await self._provider.begin(progress)
        kept = {"state": progress.state, "nonce": progress.nonce, "verifier": progress.verifier}
        carried = {"invitation": invitation, "setup": setup, "secret": secret}
        kept |= {name: value for name, value in carried.items() if value is not None}
        return address, seal(self._people.signing, PURPOSE, kept, lifetime=LASTS)

    async def finish(self, kept: str | None, answer: Mapping[str, str], *, address: str, agent: str) -> NewSession:
        """Log in whom the provider has sent back. `kept` is what the browser has kept, `answer` are the parameters.

        Raises `LogInRefused`, `RateLimited`, `Unavailable`.
        """
        fields = unseal(self._people.signing, PURPOSE, kept) if kept is not None else None
        if fields is None:
            raise LogInRefused("expired", "this browser has begun no log-in, or too long ago; try again")
        progress = Progress(fields["state"], fields["nonce"], fields["verifier"])
        async with self._attempts.at_provider(address):
            person = await self._provider.finish(progress, answer)
            known = await self._database.read(
                lambda transaction: account_of_identity(transaction, person.issuer, person.subject), never_deferred=True
            )
            if known is None:
                return await self._sign_up_as(person, fields, address=address, agent=agent)
            self._check_ban(known.user)
            return await self._log_in(person, agent=agent)

    async def _log_in(self, person: Person, *, agent: str) -> NewSession:
        def store(transaction: Transaction) -> tuple[NewSession, list[AccessChange]]:
            # Whoever deactivates the account at this moment ends the sessions that there are.
            lock_accounts(transaction)
            account = account_of_identity(transaction, person.issuer, person.subject)
            assert account is not None
            return _begin_session(transaction, account, agent)

        return self._tell(*await self._database.transact(store))

    async def _sign_up_as(self, person: Person, fields: Mapping[str, str], *, address: str, agent: str) -> NewSession:
        setup, invitation, secret = fields.get("setup"), fields.get("invitation"), fields.get("secret")
        sign_up = self._current.now.sign_up
        try:
            if setup is not None:
                await self._accounts.check_setup(setup)
            elif not self._everybody_may and sign_up != "open" and (sign_up == "closed" or invitation is None):
                raise Forbidden("you need an invitation to sign up here, or an administrator who makes the account")
        except Forbidden as error:
            raise LogInRefused("uninvited", error.message) from None
        await self._attempts.sign_up(address)
        guest = self._people.guests.prove(secret) if secret is not None else None
        if guest is not None:
            self._check_ban(guest)
        wanted = _username(person)

        def store(transaction: Transaction) -> tuple[Account, NewSession, list[AccessChange]]:
            lock_accounts(transaction)
            account = account_of_identity(transaction, person.issuer, person.subject)
            if account is None:
                username = wanted
                while account_of_login(transaction, username) is not None:
                    username = made_key(wanted)
                new = NewAccount(
                    username,
                    _name(person, username),
                    password="",  # nobody logs in with it
                    is_first=setup is not None,
                    invitation=invitation,
                    guest=guest,
                )
                account = add_account(transaction, new)
                add_identity(transaction, person.issuer, person.subject, account)
            return account, *_begin_session(transaction, account, agent)

        try:
            account, session, ended = await self._database.transact(store)
        except LogInRefused:
            raise
        except (Forbidden, Conflict) as error:
            raise LogInRefused("uninvited", error.message) from None
        await self._accounts.added(account)
        return self._tell(session, ended)

    def _check_ban(self, user: User) -> None:
        try:
            self._bans.check(user)
        except Forbidden as error:
            raise LogInRefused("banned", error.message) from None

    def _tell(self, session: NewSession, ended: list[AccessChange]) -> NewSession:
        self._changes.tell(*ended)
        return session


def _begin_session(transaction: Transaction, account: Account, agent: str) -> tuple[NewSession, list[AccessChange]]:
    if account.deactivated is not None:
        raise LogInRefused("deactivated", "this account is deactivated")
    session = NewSession(account.id, agent)
    return session, begin_session(transaction, session, key=account.key)


def _username(person: Person) -> str:
    # Everybody sees the key, so it is not somebody's e-mail address.
    for wanted in (person.username.partition("@")[0], person.name.replace(" ", ".")):
        with contextlib.suppress(Invalid):
            return check_username(wanted)
    return made_key(UNNAMED)


def _name(person: Person, username: str) -> str:
    for wanted in (person.name, person.username.partition("@")[0]):
        with contextlib.suppress(Invalid):
            return check_name(wanted)
    return username
