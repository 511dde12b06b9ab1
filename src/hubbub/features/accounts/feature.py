"""The feature of accounts: its tables, its jobs, and what its routes use. The rules are in `accounts/`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubbub.accounts.accounts import Account, is_administrator
from hubbub.accounts.invitations import remove_old_invitations
from hubbub.accounts.passwords import Passwords
from hubbub.accounts.resets import remove_old_resets
from hubbub.accounts.sessions import NOTED_EVERY, NewSession, end_all_sessions, note_use, remove_old_sessions
from hubbub.errors import ConfigurationError, Forbidden
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.administration import Administration
from hubbub.features.accounts.attempts import Attempts
from hubbub.features.accounts.console import Console, Order, perform
from hubbub.features.accounts.log_ins import LogIns, Wish
from hubbub.features.accounts.setup import FRAGMENT, is_setup_token, keep_link, remove_link, setup_token
from hubbub.features.accounts.tables import NAME, SCRIPTS, faults
from hubbub.features.bans.feature import BansFeature
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job, LeasedJob
from hubbub.features.people.feature import PeopleFeature
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.leases import Lease
from hubbub.wire.identity import User

if TYPE_CHECKING:
    from fastapi import APIRouter

TIDY = 3600.0


class AccountsFeature(Feature):
    name = NAME
    scripts = SCRIPTS

    def __init__(self) -> None:
        self.log_ins: LogIns
        self.administration: Administration
        self._passwords: Passwords | None = None
        self._console: Console | None = None
        self._database: Database
        self._people: PeopleFeature
        self._needs_setup = True

    def open(self, services: Services) -> None:
        super().open(services)
        if services.database is None:
            raise ConfigurationError(
                "accounts need a database: set HUBBUB_DATA_DIR or HUBBUB_DATABASE_URL, or give Hubbub(data_dir=...)"
            )
        self._database = services.database
        self._people = services.feature(PeopleFeature)
        self._needs_setup = True

    async def start(self) -> None:
        services, access = self.services, self.services.feature(AccessFeature)
        bans = services.feature(BansFeature)
        bans.is_administrator = is_administrator
        self._passwords = Passwords()
        attempts = Attempts(services.limits, services.current)
        self.log_ins = LogIns(
            self._database, self._passwords, access.changes, attempts, current=services.current, bans=bans.bans
        )
        self.administration = Administration(
            self._database,
            self._passwords,
            access.changes,
            access.revocations,
            self._people.user_channels,
            attempts=attempts,
        )
        access.revocations.also(end_all_sessions)
        if await self.needs_setup() and self._data_dir is not None:
            keep_link(self._data_dir, self.setup_fragment)
        if self._data_dir is not None and not services.is_shared:
            self._console = Console(self._data_dir, self._perform)
            await self._console.start()

    async def stop(self) -> None:
        if self._console is not None:
            await self._console.stop()
            self._console = None
        if self._passwords is not None:
            self._passwords.close()
            self._passwords = None

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.accounts.routes import add_routes

        add_routes(router, hub, self)

    def jobs(self) -> Iterable[Job | LeasedJob]:
        yield Job(NOTED_EVERY, self._note_use)
        yield LeasedJob("hubbub.accounts: remove what has ended", TIDY, self._remove_old)

    def check(self, transaction: Transaction) -> list[str]:
        return faults(transaction)

    async def sign_up(self, wish: Wish, *, setup: str | None, address: str, agent: str) -> tuple[Account, NewSession]:
        """`LogIns.sign_up`; with the setup's token, as the administrator. A guest who signs up must connect again, and
        does so as the account."""
        if setup is not None:
            await self.check_setup(setup)
        account, session = await self.log_ins.sign_up(wish, address=address, agent=agent)
        await self.added(account)
        return account, session

    async def check_setup(self, token: str) -> None:
        """Raises `Forbidden` if this is not the setup's token, or if the server has an administrator."""
        if not (await self.needs_setup() and self._is_setup_token(token)):
            raise Forbidden("this setup link is not valid any more; log in, or ask for an invitation")

    async def added(self, account: Account) -> None:
        """An account was made: who is connected as a guest with its key must connect again."""
        await self._people.claim_key(account.user)
        await self.needs_setup()

    async def _perform(self, order: Order) -> list[dict[str, Any]]:
        """What the command line wants done."""
        access = self.services.feature(AccessFeature)
        accounts, revoked = await self._database.transact(
            lambda transaction: perform(transaction, order, access.revocations)
        )
        if revoked is not None:
            access.changes.tell(revoked)
        if order.do == "add":
            await self._people.claim_key(User(accounts[0]["key"], accounts[0]["name"]))
        return accounts

    # The first run.

    async def needs_setup(self) -> bool:
        """Whether the server has no administrator yet."""
        if self._needs_setup:
            self._needs_setup = await self.administration.needs_setup()
            if not self._needs_setup and self._data_dir is not None:
                remove_link(self._data_dir)
        return self._needs_setup

    @property
    def setup_fragment(self) -> str:
        """What the setup link has after the page's address."""
        return FRAGMENT + setup_token(self._people.signing, self._cluster)

    def _is_setup_token(self, token: str) -> bool:
        return is_setup_token(self._people.signing, self._cluster, token)

    @property
    def _cluster(self) -> str:
        return self.services.cluster_id or ""

    @property
    def _data_dir(self) -> Path | None:
        return self.services.settings.data_dir

    # Jobs.

    async def _note_use(self) -> None:
        """An open connection uses its session."""
        used = {connection.session for connection in self.services.fanout.connections.values()} - {None}
        if used:
            await self._database.transact(lambda transaction: note_use(transaction, [id for id in used if id]))

    async def _remove_old(self, lease: Lease) -> None:
        await lease.transact(self._database, remove_old_sessions, remove_old_invitations, remove_old_resets)
