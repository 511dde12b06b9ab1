"""API keys: a program shows one to send as the application, from outside.

A key is 256 random bits. Only its SHA-256 is stored: nobody can guess a preimage of so many random bits, so a slow hash
would add nothing. Nodes that share a database store the keys there. Any other server has one file for each key in its
data directory: then a key can be added and revoked while the server runs, although only one process may write to a
SQLite database. So the command line cannot write a line of the audit log there; a running server writes it first, and
then the file.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from hubbub.accounts.audit import CONSOLE, audit
from hubbub.accounts.identity import Authenticated
from hubbub.errors import ConfigurationError
from hubbub.files import check_regular
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.parts import make_names_durable, whole_file
from hubbub.store.statement import Statement
from hubbub.wire.identity import User

log = logging.getLogger("hubbub")

KeyScope = Literal["rooms:send", "users:send", "topics:publish", "rooms:read", "topics:follow"]
"""What a key allows: to send messages into rooms, to send events to users, to publish to topics; as a bot also to read
rooms and to follow topics."""
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)

PREFIX = "hb_"
"""How keys begin, so that people and programs that look for leaked secrets recognize one."""
BOTS = "bot:"
"""How the keys of bots begin, as users."""
FOLDER = "api-keys"
FRESH = 0.5
"""Seconds for which a node trusts what it has read, and does not try again what has failed. A revoked key is refused
after that."""

NAME = "[a-z0-9][a-z0-9._-]{0,63}"
_name = re.compile(NAME + r"\Z")


class ApiKey(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    scopes: tuple[str, ...]
    created: int
    """Milliseconds since 1970."""
    expires: int | None = None
    """In the same way; None: never."""

    def is_good(self, now: float) -> bool:
        """Whether it has not expired; `now` is in seconds since 1970."""
        return self.expires is None or now * 1000 < self.expires

    def authenticated(self) -> Authenticated:
        """The program that has this key, as a user: a bot, which may do what the key's scopes allow."""
        bot = User(f"{BOTS}{self.name}", self.name, scopes=self.scopes)
        expires = self.expires / 1000 if self.expires is not None else None
        return Authenticated(bot, expires=expires, session=self.digest, scopes=self.scopes)


def make_key(name: str, scopes: Sequence[str], *, expires: int | None = None) -> tuple[ApiKey, str]:
    """A new key and its secret. `expires` is in milliseconds since 1970. Raises `ConfigurationError` for a name or a
    scope that cannot be one."""
    check_name(name)
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise ConfigurationError(f"{unknown[0]!r} is no scope: choose from {', '.join(SCOPES)}")
    if not scopes:
        raise ConfigurationError(f"a key needs at least one scope: {', '.join(SCOPES)}")
    secret = PREFIX + secrets.token_urlsafe(32)
    wanted = tuple(scope for scope in SCOPES if scope in scopes)
    created = time.time_ns() // 1_000_000
    return ApiKey(name=name, digest=digest_of(secret), scopes=wanted, created=created, expires=expires), secret


def check_name(name: str) -> None:
    """Raises `ConfigurationError`."""
    if not _name.match(name):
        raise ConfigurationError(
            f"{name!r} is no name for a key: 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit"
        )


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKeyStore(Protocol):
    """Where keys are stored; `place` says it in words."""

    place: str

    async def load(self) -> list[ApiKey]:
        """All keys, by name. Raises `Unavailable` or `ConfigurationError`."""

    async def add(self, key: ApiKey, *, by: str = CONSOLE) -> bool:
        """Returns when the key is durable; False if there is one with its name. `by` is who does it, for the audit log.
        Raises as `load` does."""

    async def remove(self, name: str, *, by: str = CONSOLE) -> bool:
        """Returns when the key is gone for good; False if there was none. `by` and what it raises: as `add`."""


class KeyFiles:
    """One file for each key, so that two programs that add and remove keys cannot undo each other's work. `database`
    has the audit log; None if this process may not write to it."""

    def __init__(self, data_dir: Path, database: Database | None = None) -> None:
        self._database = database
        self._folder = data_dir / FOLDER
        self.place = str(self._folder.absolute())
        self._ignored: set[str] = set()

    async def load(self) -> list[ApiKey]:
        return await asyncio.to_thread(self._load)

    async def add(self, key: ApiKey, *, by: str = CONSOLE) -> bool:
        if self._file(key.name).exists():
            return False
        if self._database is not None:
            await self._database.transact(lambda transaction: _audit_added(transaction, key, by))
        return await asyncio.to_thread(self._add, key)

    async def remove(self, name: str, *, by: str = CONSOLE) -> bool:
        if self._database is not None and self._file(name).exists():
            await self._database.transact(lambda transaction: audit(transaction, by, "key.revoke", name))
        return await asyncio.to_thread(self._remove, name)

    def _load(self) -> list[ApiKey]:
        keys = []
        for file in sorted(self._folder.glob("*.json")):
            try:
                check_regular(file)
                key = ApiKey.model_validate_json(file.read_bytes())
            except FileNotFoundError:
                continue  # revoked at this moment
            except (OSError, ValidationError) as error:
                # One broken file must not stop all other keys.
                if file.name not in self._ignored:
                    self._ignored.add(file.name)
                    log.warning("the API key in %s is ignored: %s", file, _reason(error))
                continue
            keys.append(key)
        return keys

    def _add(self, key: ApiKey) -> bool:
        try:
            # One after the other: `parents` would make the data directory readable for everybody.
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with whole_file(self._file(key.name), replaces=False) as part:
                part.write_text(key.model_dump_json() + "\n")
        except FileExistsError:
            return False
        except OSError as error:
            raise ConfigurationError(f"{self._file(key.name)} cannot be written: {error.strerror}") from None
        return True

    def _remove(self, name: str) -> bool:
        try:
            self._file(name).unlink()
            make_names_durable(self._folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigurationError(f"{self._file(name)} cannot be removed: {error.strerror}") from None
        return True

    def _file(self, name: str) -> Path:
        check_name(name)
        return self._folder / f"{name}.json"


def _reason(error: OSError | ValidationError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it holds no key"


_ALL = Statement(
    "SELECT name, digest, scopes, created, expires FROM api_keys ORDER BY name",
    columns=("name", "digest", "scopes", "created", "expires"),
    never_deferred=True,
)
_OF_NAME = Statement("SELECT digest FROM api_keys WHERE name = :name", columns=("digest",), never_deferred=True)
_ADD = Statement(
    """
    INSERT INTO api_keys (name, digest, scopes, created, expires)
    VALUES (:name, :digest, :scopes, :created, :expires)
    ON CONFLICT (name) DO NOTHING
    """,
    never_deferred=True,
)
_REMOVE = Statement("DELETE FROM api_keys WHERE name = :name", never_deferred=True)


class KeyTable:
    """A table of the database that several nodes share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.place = "PostgreSQL"

    async def load(self) -> list[ApiKey]:
        return await self._database.read(_all_keys, never_deferred=True)

    async def add(self, key: ApiKey, *, by: str = CONSOLE) -> bool:
        return await self._database.transact(lambda transaction: _add_key(transaction, key, by))

    async def remove(self, name: str, *, by: str = CONSOLE) -> bool:
        return await self._database.transact(lambda transaction: _remove_key(transaction, name, by))


def _all_keys(transaction: Transaction) -> list[ApiKey]:
    return [
        ApiKey(name=name, digest=digest, scopes=tuple(scopes.split()), created=created, expires=expires)
        for name, digest, scopes, created, expires in transaction.rows(_ALL)
    ]


def _add_key(transaction: Transaction, key: ApiKey, by: str) -> bool:
    values = {"name": key.name, "digest": key.digest, "created": key.created, "expires": key.expires}
    transaction.run(_ADD, scopes=" ".join(key.scopes), **values)
    ((digest,),) = transaction.rows(_OF_NAME, name=key.name)
    if digest != key.digest:
        return False
    _audit_added(transaction, key, by)
    return True


def _remove_key(transaction: Transaction, name: str, by: str) -> bool:
    if not transaction.rows(_OF_NAME, name=name):
        return False
    transaction.run(_REMOVE, name=name)
    audit(transaction, by, "key.revoke", name)
    return True


def _audit_added(transaction: Transaction, key: ApiKey, by: str) -> None:
    audit(transaction, by, "key.add", key.name, scopes=list(key.scopes), expires=key.expires)


class ApiKeys:
    """The keys that a node accepts. They are read when somebody shows one, and not again for `FRESH` seconds, also if
    that failed. So wrong keys cost nothing more. `store` is None if there is no place for keys; then none is accepted.
    """

    def __init__(
        self, store: ApiKeyStore | None, *, clock: Callable[[], float], wall: Callable[[], float] = time.time
    ) -> None:
        self.store = store
        self._clock = clock
        self._wall = wall
        self._by_digest: dict[str, ApiKey] = {}
        self._asked_at = float("-inf")
        self._failure: Exception | None = None
        """Why the latest attempt to read them failed."""
        self._reading: asyncio.Task[None] | None = None

    async def still_good(self, digests: Iterable[str]) -> set[str]:
        """Those of these digests whose keys are not revoked. Raises `Unavailable` if that cannot be known now."""
        await self._refresh()
        return {digest for digest in digests if digest in self._by_digest}

    def read_again(self) -> None:
        """A key was added or removed here: do not wait for `FRESH` to be over."""
        self._asked_at = float("-inf")

    async def find(self, secret: str) -> ApiKey | None:
        """The key with this secret, None if there is none that is good. Raises `Unavailable` if that cannot be known
        now."""
        await self._refresh()
        key = self._by_digest.get(digest_of(secret))
        return key if key is not None and key.is_good(self._wall()) else None

    async def _refresh(self) -> None:
        if self.store is None:
            return
        if self._reading is None and self._clock() - self._asked_at >= FRESH:
            self._reading = asyncio.create_task(self._read(self.store))
        if self._reading is not None:
            # All wait for the same attempt. If one goes away, the others go on.
            await asyncio.shield(self._reading)
        if self._failure is not None:
            # Many raise it: without this, its traceback would grow with each of them.
            raise self._failure.with_traceback(None)

    async def _read(self, store: ApiKeyStore) -> None:
        self._asked_at = self._clock()
        try:
            self._by_digest = {key.digest: key for key in await store.load()}
            self._failure = None
        except Exception as failure:  # noqa: BLE001 - those who wait get it
            self._failure = failure
        finally:
            self._reading = None
