"""Who is let in: origin, capacity and identity of a connection, decided before the upgrade.

Guests prove nothing. By default they are admitted only from this machine, under a name of this machine, and not through
a proxy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubbub.accounts.api_keys import KeyScope
from hubbub.accounts.identity import Authenticated
from hubbub.delivery.connection import Connection
from hubbub.errors import ConfigurationError, Forbidden, RateLimited, Unauthenticated, Unavailable
from hubbub.features.access.feature import AccessFeature
from hubbub.features.api_keys.feature import ApiKeysFeature
from hubbub.features.bans.feature import BansFeature
from hubbub.features.openid.feature import CALLBACK
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.server_settings.feature import ServerSettingsFeature
from hubbub.http.bearer import bearer_token, guest_secret
from hubbub.http.origins import Origins
from hubbub.limits import Recent, TokenBucket, network_of
from hubbub.node import Node
from hubbub.origins import host_name, is_loopback
from hubbub.wire.identity import SYSTEM, User
from hubbub.wire.keys import clean_name, fold, is_key

CREDENTIALS = frozenset({"token", "ticket", "secret"})
"""Query parameters that must appear in no log, in lower case."""
OF_CALLBACK = frozenset({"code", "state"})
"""More of them, at the address to which a log-in provider sends browsers back."""

FORWARDING_HEADERS = (
    b"forwarded",
    b"x-forwarded-",
    b"x-original-",
    b"x-real-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-envoy-",
    b"cf-connecting-ip",
    b"true-client-ip",
    b"via",
)
"""Proxies say that they forward a request by headers whose names begin so."""

GUEST = User("guest", "Guest", guest=True)
"""The user of an HTTP request without an account, if guests are admitted."""


# All connections of an address share one string.
@lru_cache(maxsize=4096)
def name_of_address(address: str) -> str:
    """The name under which an address is limited. It differs from that of each user: no key has a space."""
    return f"address {network_of(address)}"


def name_of_user(user: User) -> str:
    """The name under which a user is limited."""
    return f"user {fold(user.key)}"


@dataclass(frozen=True, slots=True)
class Admitted:
    who: Authenticated
    secret: str | None
    address: str
    counted: tuple[str, ...] = ()
    """The names under which the connection is counted (`SharedLimits`)."""
    heard: int = 0
    """How many changes of access this node had heard of before the identity was checked."""

    @property
    def user(self) -> User:
        return self.who.user


Charge = Callable[[float], None]
"""Called with what a request cost more than was taken for it, in usual requests."""


class Admissions:
    """Lets connections in and out. Each `admit` that returns must be followed by one `leave` or `withdraw`."""

    def __init__(self, node: Node, *, among_accounts: bool = False) -> None:
        self._node = node
        self._people = node.feature(PeopleFeature)
        self._access = node.feature(AccessFeature)
        self._api_keys = node.feature(ApiKeysFeature).keys
        self._bans = node.feature(BansFeature)
        self._settings = node.feature(ServerSettingsFeature)
        self._current = node.services.current
        self._comers = Recent(TokenBucket, seconds=60.0)
        """How fast handshakes come from each network address."""
        self._among_accounts = among_accounts
        self.origins = Origins(node.settings.allowed_origins)

    async def admit(self, connection: HTTPConnection, account: Any, *, connects: bool = True) -> Admitted:
        """Decide about one handshake; `account` is what the application's own login said, None for nobody. A request
        that does not connect (`connects`) is not counted as a connection.

        Cheap checks come first, so that the database is not asked about somebody who will be refused anyway.

        Raises `Unauthenticated`, `Forbidden`, `Conflict`, `Invalid`, `RateLimited` or `Unavailable`.
        """
        heard = self._access.changes.number
        query = hide_credentials(connection)
        self.origins.check(connection)
        self._check_capacity()
        address = _peer(connection)
        if connects:
            self._check_pace(address)
        if account is None:
            self._check_guest(connection)
        counted = await self._count_address(address) if connects else ()
        try:
            if account is not None:
                who, secret = as_authenticated(account), None
                self._bans.bans.check(who.user)
                await self._people.claim_key(who.user)
            else:
                username, secret = query.get("username"), guest_secret(connection, query)
                guest = await self._people.guests.admit(username, secret, among_accounts=self._among_accounts)
                who, secret = Authenticated(guest.user), guest.secret
        except BaseException:
            self._uncount(counted)
            raise
        try:
            if secret is not None:
                self._bans.bans.check(who.user)
            if connects:
                counted += await self._count_user(who.user)
            # The database may have taken its time.
            self._check_capacity()
        except BaseException:
            self.withdraw(Admitted(who, secret, address, counted))
            raise
        return Admitted(who, secret, address, counted, heard)

    def check_again(self, connection: Connection, admitted: Admitted) -> None:
        """Close a connection that has just come to be, if its identity was revoked or banned meanwhile, or if
        guests are not admitted any more."""
        self._bans.end_if_banned(connection)
        if connection.user.guest:
            if admitted.secret is not None:
                self._settings.end_if_not_admitted(connection)
            return
        self._access.check_again(connection, admitted.heard)

    def identify(self, request: HTTPConnection, account: Any) -> User:
        """The user who makes a plain HTTP request. Raises as `admit` does; nothing is counted."""
        hide_credentials(request)
        self.origins.check(request)
        if account is not None:
            user = as_authenticated(account).user
            self._bans.bans.check(user)
            return user
        self._check_guest(request)
        return GUEST

    def admits_guest(self, request: HTTPConnection) -> bool:
        """Whether who asks would be let in without an account."""
        try:
            self._check_guest(request)
        except (Unauthenticated, Forbidden):
            return False
        return True

    def proven_guest(self, secret: str) -> User:
        """The guest who has this secret. Raises `Unauthenticated` for one that this server did not give."""
        return self._people.guests.prove(secret)

    async def take_request(self, request: HTTPConnection, user: User, size: float = 1.0) -> Charge:
        """Count a request that is as large as `size` usual ones. If it costs more in the end, the caller gives the rest
        to what is returned.

        Raises `RateLimited` if the user, or the address of somebody without an account, has made too many.
        """
        return await self._take(name_of_address(_peer(request)) if user is GUEST else name_of_user(user), size)

    async def check_api_key(self, request: HTTPConnection, scope: KeyScope) -> None:
        """Return if a program may do with its API key what `scope` names. The request is counted for the key.

        Raises `Unauthenticated` without a valid key, `Forbidden` if the key has not this scope, `RateLimited`,
        `Unavailable`.
        """
        self._node.require_started()
        hide_credentials(request)
        self.origins.check(request)
        if self._node.is_draining:
            raise Unavailable("the server restarts", retry_after=2_000)
        secret = bearer_token(request)
        if secret is None:
            raise Unauthenticated("this needs an API key: `Authorization: Bearer hb_...`; `hubbub key add` makes one")
        key = await self._api_keys.find(secret)
        if key is None:
            raise Unauthenticated("this is no API key of this server, or it was revoked")
        await self._take(f"key {key.digest}")
        if scope not in key.scopes:
            raise Forbidden(f"the API key {key.name!r} has not the scope {scope}")

    async def _take(self, name: str, size: float = 1.0) -> Charge:
        limits = self._node.limits
        wait = await limits.take(name, size)
        if wait:
            raise RateLimited("too many requests", retry_after=math.ceil(wait * 1000))
        return partial(limits.charge, name)

    def _check_pace(self, address: str) -> None:
        """Count a handshake. Each node does that for itself, so that nobody waits for another node."""
        now = self._current.now
        most = now.connects_per_address if now.connections_per_address else 0
        if not most:
            return
        time_now = time.monotonic()
        wait = self._comers.of(network_of(address), time_now).take(time_now, rate=most / 60, burst=most)
        if wait:
            raise RateLimited("too many handshakes from this address", retry_after=math.ceil(wait * 1000))

    async def _count_address(self, address: str) -> tuple[str, ...]:
        most = self._current.now.connections_per_address
        if not most:
            return ()
        name = name_of_address(address)
        if not await self._node.limits.enter(name, most):
            raise RateLimited("too many connections from this address", retry_after=10_000)
        return (name,)

    async def _count_user(self, user: User) -> tuple[str, ...]:
        most = self._current.now.connections_per_user
        if not most:
            return ()
        name = name_of_user(user)
        if not await self._node.limits.enter(name, most):
            raise RateLimited("too many connections of this user", retry_after=10_000)
        return (name,)

    def _uncount(self, counted: tuple[str, ...]) -> None:
        for name in counted:
            self._node.limits.leave(name)

    def leave(self, admitted: Admitted, *, clean: bool) -> None:
        """The connection is gone. Unless it was closed `clean`, a guest's name is kept for a while."""
        self._uncount(admitted.counted)
        if admitted.secret is not None:
            self._people.guests.leave(admitted.user, clean=clean)

    def withdraw(self, admitted: Admitted) -> None:
        """The connection did not come to be, or is taken back. No name becomes free by that."""
        self._uncount(admitted.counted)
        if admitted.secret is not None:
            self._people.guests.withdraw(admitted.user)

    def _check_capacity(self) -> None:
        if self._node.is_draining:
            raise Unavailable("the server restarts", retry_after=2_000)
        most = self._node.settings.connections
        if most and len(self._node.fanout.connections) >= most:
            raise Unavailable("the server is full", retry_after=30_000)

    def _check_guest(self, connection: HTTPConnection) -> None:
        guests = self._current.now.guests
        if guests == "off":
            raise Unauthenticated("log in first; guests are not admitted here")
        if guests == "on":
            return
        if not is_at_home(connection):
            raise Forbidden("guests are admitted from the server's own machine only (the setting `guests`)")


def is_at_home(connection: HTTPConnection) -> bool:
    """Whether this comes from the server's own machine, under a name of this machine, and not through a proxy."""
    scope = connection.scope
    if any(name.startswith(FORWARDING_HEADERS) for name, _ in scope["headers"]):
        return False
    server, host = scope.get("server"), host_name(connection.headers.get("host", ""))
    is_near = is_loopback(_peer(connection)) and is_loopback(host) and (server is None or is_loopback(server[0]))
    return is_near or is_test_client(scope)


def is_test_client(scope: Scope) -> bool:
    """Whether Starlette's TestClient asks. It has no socket, and gives these words as addresses."""
    return (scope.get("client") or ("",))[0] == "testclient" and (b"host", b"testserver") in scope["headers"]


def _peer(connection: HTTPConnection) -> str:
    client = connection.scope.get("client")
    return client[0] if client else ""


def as_authenticated(account: Any) -> Authenticated:
    """What an application's login returned: an `Authenticated`, or what `as_user` takes.

    Raises as `as_user` does, and `Unauthenticated` if the credential has expired.
    """
    if not isinstance(account, Authenticated):
        return Authenticated(as_user(account))
    if account.expires is not None and account.expires <= time.time():
        raise Unauthenticated("the credential has expired")
    user = as_user(account.user)
    return replace(account, user=user if account.scopes is None else replace(user, scopes=account.scopes))


def as_user(account: Any) -> User:
    """What an application's login returned, as an identity.

    Takes a `User`, a key (str or int), or an object or mapping with `key` or `id`, and `name` or `username`. If the
    name cannot be used, for instance because it is too long, the key is shown instead. Raises `ConfigurationError` for
    anything else, and for an invalid key: then the application's own code must change, not the client. Raises
    `Forbidden` for the key under which the application itself speaks: a user with that key could edit what the
    application said.
    """
    user = _read_account(account)
    if fold(user.key) == SYSTEM.key:
        raise Forbidden(f"nobody may log in under the key {SYSTEM.key!r}")
    return user


def _read_account(account: Any) -> User:
    if isinstance(account, User):
        key, name = account.key, account.name
    elif isinstance(account, (str, int)) and not isinstance(account, bool):
        key, name = str(account), str(account)
    else:
        read = account.get if hasattr(account, "get") else lambda field: getattr(account, field, None)
        key = next((str(value) for field in ("key", "id", "username") if (value := read(field)) is not None), "")
        name = next((str(value) for field in ("name", "username") if (value := read(field))), key)
    if not is_key(key):
        raise ConfigurationError(
            f"`authenticate` returned, or hub.serve was given, a {type(account).__name__} without a usable key. Give a "
            "hubbub.User(key, name), or an object with `id` and `name`; a key has 1 to 64 of A-Z a-z 0-9 _ . : @ | - "
            "and begins with a letter or digit"
        )
    try:
        name = clean_name(name)
    except ValueError:
        name = key
    return replace(account, name=name) if isinstance(account, User) else User(key, name)


_PRESENTED = "hubbub.presented"


@dataclass(frozen=True, slots=True)
class _Presented:
    """The parameters that a client sent in its address, kept where a printed scope does not show them."""

    query: dict[str, str] = field(repr=False)


def hide_credentials(connection: HTTPConnection) -> dict[str, str]:
    """The query's parameters as they came. It may be called more than once.

    Credentials are removed from the address in the scope, because the server logs it from there.
    """
    presented: _Presented | None = connection.scope.get(_PRESENTED)
    if presented is not None:
        return presented.query
    query = connection.scope.get("query_string", b"")
    if b"=" not in query:
        return {}
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    secret = CREDENTIALS | OF_CALLBACK if CALLBACK in connection.scope["path"] else CREDENTIALS
    if any(name.lower() in secret for name, _ in pairs):
        hidden = [(name, "..." if name.lower() in secret else value) for name, value in pairs]
        connection.scope["query_string"] = urlencode(hidden).encode("ascii")
        connection.scope[_PRESENTED] = _Presented(dict(pairs))
    return dict(pairs)


class HiddenCredentials:
    """Middleware for a server whose addresses are all ours. It hides credentials also at addresses that do not read
    them: unknown ones, redirections."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["query_string"]:
            await self._app(scope, receive, send)
            return

        async def hide_and_send(message: Message) -> None:
            # The server logs the address with the answer's first part.
            hide_credentials(HTTPConnection(scope))
            await send(message)

        await self._app(scope, receive, hide_and_send)
