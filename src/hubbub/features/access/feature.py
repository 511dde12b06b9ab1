"""The feature of access: connections end when their identity does, because it expires or is revoked. The rules are in
`accounts/`: `access_changes.py`, `revocations.py`, `expiries.py`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hubbub.accounts import access_changes, revocations, tickets
from hubbub.accounts.access_changes import CHANNEL, POLL, AccessChange, AccessChanges, AccessKind
from hubbub.accounts.expiries import Expiries
from hubbub.accounts.identity import Authenticated
from hubbub.accounts.jwks import IssuerKeys, source_at
from hubbub.accounts.revocations import Revocations
from hubbub.accounts.tickets import Tickets
from hubbub.accounts.tokens import Issuer, Tokens
from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration, Unasked
from hubbub.errors import ConfigurationError, Forbidden, Unauthenticated, Unavailable
from hubbub.features.feature import ChannelKind, Feature, Services
from hubbub.features.jobs import Job, LeasedJob
from hubbub.settings import Settings
from hubbub.store.leases import Lease
from hubbub.wire.answers import Ack
from hubbub.wire.base import timestamp
from hubbub.wire.codes import CloseCode
from hubbub.wire.connection import Auth
from hubbub.wire.keys import fold

if TYPE_CHECKING:
    from fastapi import APIRouter

PREFIX = CHANNEL.partition(":")[0] + ":"
_TICK = 1.0
Verify = Callable[[str], Awaitable[Authenticated]]
_TIDY = 600.0


class AccessFeature(Feature):
    name = "hubbub.access"
    scripts = (*access_changes.TABLES, *revocations.TABLES, *tickets.TABLES)

    def __init__(self) -> None:
        self.changes: AccessChanges
        self.revocations: Revocations
        self.tokens: Tokens
        self.tickets: Tickets
        self.verify: Verify | None = None
        """Says whose token it is, for `auth`; None if nobody can. Raises a `RequestError` for a wrong one."""
        self._expiries: Expiries
        self._sessions: dict[str, dict[Connection, None]]

    def open(self, services: Services) -> None:
        super().open(services)
        shared = services.database if services.is_shared else None
        self.changes = AccessChanges(services.broker, shared=shared, clock=time.monotonic)
        self.revocations = Revocations(self.changes, services.database, clock=time.time)
        self.tokens = _tokens(services.settings, self.revocations)
        self.tickets = Tickets(shared, clock=time.monotonic, has_ended=self._has_ended)
        self._expiries = Expiries(clock=time.monotonic, wall=time.time)
        self._sessions = {}
        self.changes.listen(AccessKind.USER, self._user_revoked)
        self.changes.listen(AccessKind.SESSION, self._session_ended)
        self.changes.on_missed(self._let_all_come_again)

    async def start(self) -> None:
        await self.changes.start()
        await self.revocations.start()

    def commands(self) -> Iterable[Registration]:
        yield Registration(Auth, self._renew, asks=Unasked("it is about the connection alone"))

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.access.routes import add_routes

        add_routes(router, hub, self)

    def channels(self) -> Iterable[ChannelKind]:
        yield ChannelKind(PREFIX, receive=self.changes.receive)

    def jobs(self) -> Iterable[Job | LeasedJob]:
        yield Job(_TICK, self._close_expired)
        if self.services.is_shared or self.services.broker.reaches_others:
            yield Job(POLL, self._poll)
        if self.services.database is not None:
            yield LeasedJob("forget old revocations", _TIDY, self._forget_old)

    def connected(self, connection: Connection) -> None:
        if connection.expires is not None:
            self._expiries.put(connection.id, connection.expires)
        if connection.session is not None:
            self._sessions.setdefault(connection.session, {})[connection] = None

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        if connection.expires is not None:
            self._expiries.drop(connection.id)
        if connection.session is not None:
            self._leave_session(connection.session, connection)

    def check_again(self, connection: Connection, heard: int) -> None:
        """Close a new connection if its user or log-in was revoked while it was let in. `heard` is the `number` of
        changes that the node had heard of before the identity was checked."""
        if heard == self.changes.number:
            return
        news = self.changes.since(heard)
        mine = {(AccessKind.USER, fold(connection.user.key)), (AccessKind.SESSION, connection.session)}
        if news is None or any((change.kind, change.subject) in mine for change in news):
            _end(connection)

    async def _renew(self, connection: Connection, command: Auth) -> Ack:
        if self.verify is None:
            raise Unauthenticated("this server cannot renew an identity: connect again")
        who = await self.verify(command.token)
        if connection.user.guest or fold(who.user.key) != fold(connection.user.key):
            raise Forbidden("this token is of another user: connect again")
        if connection.is_open:
            self.disconnected(connection, clean=True)
            connection.user = replace(connection.user, role=who.user.role, scopes=who.user.scopes)
            connection.expires, connection.session, connection.scopes = who.expires, who.session, who.scopes
            self.connected(connection)
        return Ack(expires=timestamp(who.expires) if who.expires is not None else None)

    async def _poll(self) -> None:
        # The database's own probe reports it, and `is_behind` knows it.
        with contextlib.suppress(Unavailable):
            await self.changes.poll()

    async def _forget_old(self, lease: Lease) -> None:
        assert self.services.database is not None
        shared = (access_changes.forget_old, tickets.forget_old) if self.services.is_shared else ()
        await lease.transact(self.services.database, *shared, self.revocations.forget_old)

    def _has_ended(self, who: Authenticated, made: float) -> bool:
        if self.revocations.is_revoked(who.user.key, made):
            return True
        return who.session is not None and self.changes.have_ended(who.session)

    def _user_revoked(self, change: AccessChange) -> None:
        for connection in self.services.fanout.connections.of_user(change.subject):
            # The same key may be a guest's, who has shown nothing that could be revoked.
            if not connection.user.guest:
                _end(connection)

    def _session_ended(self, change: AccessChange) -> None:
        for connection in list(self._sessions.get(change.subject, ())):
            _end(connection)

    def _let_all_come_again(self) -> None:
        for connection in list(self.services.fanout.connections.values()):
            if not connection.user.guest:
                connection.close(CloseCode.SERVICE_RESTART, "your identity must be checked again")

    def _close_expired(self) -> None:
        for id in self._expiries.over():
            connection = self.services.fanout.connections.get(id)
            if connection is not None:
                connection.close(CloseCode.UNAUTHENTICATED, "the identity has expired")

    def _leave_session(self, session: str, connection: Connection) -> None:
        connections = self._sessions.get(session)
        if connections is not None:
            connections.pop(connection, None)
            if not connections:
                del self._sessions[session]


def _tokens(settings: Settings, revocations: Revocations) -> Tokens:
    given = (settings.secret, settings.previous_secret)
    secrets = [secret.get_secret_value().encode() for secret in given if secret is not None]
    return Tokens(secrets=secrets, issuer=_issuer(settings), is_revoked=revocations.is_revoked)


def _issuer(settings: Settings) -> Issuer | None:
    place, name, audience = settings.token_keys, settings.token_issuer, settings.token_audience
    if place is None and name is None and audience is None:
        return None
    if place is None or not name or not audience:
        raise ConfigurationError(
            "HUBBUB_TOKEN_KEYS, HUBBUB_TOKEN_ISSUER and HUBBUB_TOKEN_AUDIENCE belong together: give all three. Without "
            "the last two, a token that was made for another service would be good here"
        )
    return Issuer(name, audience, IssuerKeys(source_at(place), clock=time.monotonic))


def _end(connection: Connection) -> None:
    connection.close(CloseCode.UNAUTHENTICATED, "the identity was revoked")
