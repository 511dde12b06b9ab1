"""API keys: a program shows one to send as the application, from outside.

A key is 256 random bits. Only its SHA-256 is stored: nobody can guess a preimage of so many random bits, so a slow hash
would add nothing. Nodes that share a database store the keys there. Any other server has one file for each key in its
data directory: then a key can be added and revoked while the server runs, although only one process may write to a
SQLite database.
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

_name = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


class ApiKey(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    scopes: tuple[str, ...]
    created: int
    """Milliseconds since 1970."""

    def authenticated(self) -> Authenticated:
        """The program that has this key, as a user: a bot, which may do what the key's scopes allow."""
        bot = User(f"{BOTS}{self.name}", self.name, scopes=self.scopes)
        return Authenticated(bot, session=self.digest, scopes=self.scopes)


def make_key(name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its secret. Raises `ConfigurationError` for a name or a scope that cannot be one."""
    check_name(name)
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise ConfigurationError(f"{unknown[0]!r} is no scope: choose from {', '.join(SCOPES)}")
    if not scopes:
        raise ConfigurationError(f"a key needs at least one scope: {', '.join(SCOPES)}")
    secret = PREFIX + secrets.token_urlsafe(32)
    wanted = tuple(scope for scope in SCOPES if scope in scopes)
    return ApiKey(name=name, digest=digest_of(secret), scopes=wanted, created=time.time_ns() // 1_000_000), secret


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

    async def add(self, key: ApiKey) -> bool:
        """Returns when the key is durable; False if there is one with its name. Raises as `load` does."""

    async def remove(self, name: str) -> bool:
        """Returns when the key is gone for good; False if there was none. Raises as `load` does."""


class KeyFiles:
    """One file for each key, so that two programs that add and remove keys cannot undo each other's work."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self.place = str(self._folder.absolute())
        self._ignored: set[str] = set()

    async def load(self) -> list[ApiKey]:
        return await asyncio.to_thread(self._load)

    async def add(self, key: ApiKey) -> bool:
        return await asyncio.to_thread(self._add, key)

    async def remove(self, name: str) -> bool:
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
    "SELECT name, digest, scopes, created FROM api_keys ORDER BY name",
    columns=("name", "digest", "scopes", "created"),
    never_deferred=True,
)
_OF_NAME = Statement("SELECT digest FROM api_keys WHERE name = :name", columns=("digest",), never_deferred=True)
_ADD = Statement(
    """
    INSERT INTO api_keys (name, digest, scopes, created) VALUES (:name, :digest, :scopes, :created)
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

    async def add(self, key: ApiKey) -> bool:
        return await self._database.write(_add_keys, key)

    async def remove(self, name: str) -> bool:
        return await self._database.write(_remove_keys, name)


def _all_keys(transaction: Transaction) -> list[ApiKey]:
    return [
        ApiKey(name=name, digest=digest, scopes=tuple(scopes.split()), created=created)
        for name, digest, scopes, created in transaction.rows(_ALL)
    ]


def _add_keys(transaction: Transaction, keys: Sequence[ApiKey]) -> list[bool]:
    added = []
    for key in keys:
        transaction.run(_ADD, name=key.name, digest=key.digest, scopes=" ".join(key.scopes), created=key.created)
        ((digest,),) = transaction.rows(_OF_NAME, name=key.name)
        added.append(digest == key.digest)
    return added


def _remove_keys(transaction: Transaction, names: Sequence[str]) -> list[bool]:
    removed = []
    for name in names:
        removed.append(bool(transaction.rows(_OF_NAME, name=name)))
        transaction.run(_REMOVE, name=name)
    return removed


class ApiKeys:
    """The keys that a node accepts. They are read when somebody shows one, and not again for `FRESH` seconds, also if
    that failed. So wrong keys cost nothing more. `store` is None if there is no place for keys; then none is accepted.
    """

    def __init__(self, store: ApiKeyStore | None, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._by_digest: dict[str, ApiKey] = {}
        self._asked_at = float("-inf")
        self._failure: Exception | None = None
        """Why the latest attempt to read them failed."""
        self._reading: asyncio.Task[None] | None = None

    async def still_good(self, digests: Iterable[str]) -> set[str]:
        """Those of these digests whose keys are not revoked. Raises `Unavailable` if that cannot be known now."""
        await self._refresh()
        return {digest for digest in digests if digest in self._by_digest}

    async def find(self, secret: str) -> ApiKey | None:
        """The key with this secret, None if there is none. Raises `Unavailable` if that cannot be known now."""
        await self._refresh()
        return self._by_digest.get(digest_of(secret))

    async def _refresh(self) -> None:
        if self._store is None:
            return
        if self._reading is None and self._clock() - self._asked_at >= FRESH:
            self._reading = asyncio.create_task(self._read(self._store))
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
