"""The keys that sign what guests are given.

Every node of a cluster signs with the same key: the secret of the settings or, without one, a key that is made once.
That is kept in the data directory, where only the server's user can read it; nodes that share a database keep it there.
The database also holds a fingerprint of the settings' secret, so that a node with another one does not start: it would
refuse the guests of all others.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubbub.errors import ConfigurationError
from hubbub.files import check_regular
from hubbub.presence.base import MADE
from hubbub.store.base import Transaction
from hubbub.store.cluster import cluster_id
from hubbub.store.database import Database
from hubbub.store.parts import whole_file
from hubbub.store.statement import Statement

FILE_NAME = "secret"
_MAC_BYTES = 18
_NO_DATABASE = "nodes without a database"
"""The salt of fingerprints, where no id of a database can be the salt."""

_FOUND = Statement("SELECT signing_key, secret_fingerprint FROM cluster {for_update}")
_KEEP = Statement("UPDATE cluster SET signing_key = :key, secret_fingerprint = :fingerprint")


class SigningKeys:
    """Signs with the first of its keys, and believes what any of them has signed. `use` gives it the keys."""

    def __init__(self, *keys: bytes) -> None:
        self._keys = keys

    def use(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def sign(self, text: str) -> str:
        """The text's signature, of 24 characters that a URL may hold."""
        return _mac(self._keys[0], text)

    def have_signed(self, text: str, signature: str) -> bool:
        return any(hmac.compare_digest(_mac(key, text).encode(), signature.encode()) for key in self._keys)


@dataclass(frozen=True, slots=True)
class Secret:
    """What a node is given by its settings. `previous` is believed still, and is not signed with any more."""

    current: bytes | None = None
    previous: bytes | None = None

    @property
    def keys(self) -> list[bytes]:
        return [key for key in (self.current, self.previous) if key is not None]


async def load_signing_keys(secret: Secret, *, data_dir: Path | None, shared: Database | None) -> list[bytes]:
    """The keys of a node, the one to sign with first. `shared` is the database that other nodes use too.

    Raises `ConfigurationError` if the other nodes have another secret, or if a key can't be kept; and `Unavailable`.
    """
    if shared is not None:
        salt = await cluster_id(shared)
        kept = key_in_file(data_dir) if data_dir is not None and secret.current is None else None
        prints = {key: fingerprint(key, salt) for key in secret.keys}
        return await shared.write(_settle, _Asked(secret, kept, prints))
    if secret.current is not None:
        return secret.keys
    # Without a place to keep it the key lives as long as the process, and so do the guests.
    made = make_key_in_file(data_dir) if data_dir is not None else secrets.token_bytes(32)
    return [made, *secret.keys]


def fingerprint(key: bytes, salt: str) -> str:
    """Tells keys apart, and says nothing about them: a key may be a sentence that somebody could guess, so to try one
    takes 16 MB and some 50 ms (scrypt, RFC 7914)."""
    return hashlib.scrypt(key, salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()


def fingerprints(secret: Secret, keys: Sequence[bytes]) -> list[str]:
    """Those of a node's keys, for nodes that compare them without a common database (`Names.start`)."""
    found = [fingerprint(key, _NO_DATABASE) for key in keys]
    return found if secret.current is not None else [MADE + found[0], *found[1:]]


@dataclass(frozen=True, slots=True)
class _Asked:
    secret: Secret
    kept: bytes | None
    """The key in the node's data directory: from before its database held one."""
    prints: dict[bytes, str]


def _settle(transaction: Transaction, requests: Sequence[_Asked]) -> list[list[bytes] | ConfigurationError]:
    return [_settle_one(transaction, asked) for asked in requests]


def _settle_one(transaction: Transaction, asked: _Asked) -> list[bytes] | ConfigurationError:
    ((found, known),) = transaction.rows(_FOUND)
    secret = asked.secret
    if known is not None and known not in asked.prints.values():
        return ConfigurationError(_DIFFERS if secret.current is not None else _HAS_NONE)
    key = found
    if key is None and secret.current is None:
        key = asked.kept.decode() if asked.kept is not None else secrets.token_urlsafe(32)
    given = asked.prints[secret.current] if secret.current is not None else None
    if (key, given) != (found, known):
        transaction.run(_KEEP, key=key, fingerprint=given)
    in_database = [] if key is None else [key.encode()]
    return [*secret.keys, *in_database] if secret.current is not None else [*in_database, *secret.keys]


_DIFFERS = (
    "HUBBUB_SECRET is not the one that the other nodes of this database have: give all of them the same. To change it, "
    "give the one that they had as HUBBUB_PREVIOUS_SECRET (see docs/scaling.md)"
)
_HAS_NONE = (
    "the other nodes of this database have a HUBBUB_SECRET, and this one has none: give it the same. To do without it "
    "from now on, give it as HUBBUB_PREVIOUS_SECRET (see docs/scaling.md)"
)


def key_in_file(data_dir: Path) -> bytes | None:
    """The key kept in `data_dir`, None if there is none. Raises `ConfigurationError` if it can't be read or used."""
    file = data_dir / FILE_NAME
    try:
        check_regular(file)
        key = file.read_text().strip() if file.exists() else None
    except OSError as error:
        raise _cannot(file, error) from None
    if key is None:
        return None
    if len(key) < 32:
        raise ConfigurationError(f"{file} holds no usable key: delete it, and a new one will be made")
    return key.encode()


def make_key_in_file(data_dir: Path) -> bytes:
    """The key kept in `data_dir`, made now if there is none. Raises `ConfigurationError` if it can't be kept."""
    key = key_in_file(data_dir)
    if key is None:
        file = data_dir / FILE_NAME
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Of two who start at once, one makes it.
            with contextlib.suppress(FileExistsError), whole_file(file, replaces=False) as part:
                part.write_text(secrets.token_urlsafe(32) + "\n")
        except OSError as error:
            raise _cannot(file, error) from None
        key = key_in_file(data_dir)
        assert key is not None
    return key


def _cannot(file: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{file} cannot be read or written ({error.strerror}): "
        "choose another directory with --data-dir or HUBBUB_DATA_DIR"
    )


def _mac(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")[:_MAC_BYTES]).decode()
