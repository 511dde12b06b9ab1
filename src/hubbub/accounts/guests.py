"""Guests: people with a name and no account.

A guest's key is the name as typed where that is a key, else a made one. The `secret` that a guest is given proves, on
a later connection, that it is the same guest: it is signed, so the server keeps nothing for guests who are away.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass

from hubbub.errors import Conflict, Invalid, Unauthenticated
from hubbub.wire.identity import User
from hubbub.wire.keys import clean_name, fold, is_key, look

RESERVED = frozenset({"system", "server", "hubbub", "admin", "everyone", "here", "all"})
_MADE_KEY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(slots=True)
class _Presence:
    user: User
    identity: str
    connections: int


@dataclass(frozen=True, slots=True)
class Admission:
    user: User
    secret: str


class Guests:
    """The guests who are here at this moment. `admit` counts one connection in, `leave` counts it out."""

    def __init__(self, signing_key: bytes) -> None:
        self._signing_key = signing_key
        self._present: dict[str, _Presence] = {}
        self._names: dict[str, str] = {}

    def admit(self, username: str | None, secret: str | None = None, *, among_accounts: bool = False) -> Admission:
        """Let a guest in. Among people with accounts a guest's key is a made one: a chosen one could be an account's.

        Raises `Invalid` for a name that is none, `Unauthenticated` for a secret that this server did not give, and
        `Conflict` for a reserved name, or if another guest uses the name or the key at this moment.
        """
        if secret:
            identity, key = self._verify(secret)
        else:
            identity, key = secrets.token_urlsafe(9), self._choose_key(None if among_accounts else username)
        user = self._as_user(key, username, identity)
        folded, name = fold(key), look(user.name)
        if name in RESERVED or name.startswith("dm:"):
            raise Conflict(f"the name {user.name!r} is reserved")
        present = self._present.get(folded)
        if (present is not None and present.identity != identity) or self._names.get(name, folded) != folded:
            raise Conflict(f"the name {user.name!r} is in use; choose another, or come back with your secret")
        if present is None:
            present = self._present[folded] = _Presence(user, identity, 0)
            self._names[name] = folded
        present.connections += 1
        return Admission(present.user, self._sign(identity, present.user.key))

    def leave(self, user: User) -> None:
        """One connection of this guest is gone."""
        present = self._present.get(fold(user.key))
        if present is None:
            return
        present.connections -= 1
        if present.connections <= 0:
            del self._present[fold(user.key)]
            self._names.pop(look(present.user.name), None)

    def _choose_key(self, username: str | None) -> str:
        if username and is_key(username):
            if fold(username) in RESERVED or fold(username).startswith("dm:"):
                raise Conflict(f"the name {username!r} is reserved")
            return username
        while True:
            key = "guest-" + "".join(secrets.choice(_MADE_KEY_ALPHABET) for _ in range(4))
            if key not in self._present:
                return key

    def _as_user(self, key: str, username: str | None, identity: str) -> User:
        if not username:
            return User(key, key, guest=True, identity=identity)
        try:
            return User(key, clean_name(username), guest=True, identity=identity)
        except ValueError as error:
            raise Invalid(
                f"username: {error}", errors=[{"loc": ["username"], "msg": str(error), "type": "name"}]
            ) from None

    def _sign(self, identity: str, key: str) -> str:
        return f"{identity}.{self._mac(identity, key)}.{key}"

    def _verify(self, secret: str) -> tuple[str, str]:
        identity, _, rest = secret.partition(".")
        mac, _, key = rest.partition(".")
        if not is_key(key) or not hmac.compare_digest(mac.encode(), self._mac(identity, key).encode()):
            message = "the guest secret is not one of this server's"
            raise Unauthenticated(message, errors=[{"loc": ["secret"], "msg": message, "type": "secret"}])
        return identity, key

    def _mac(self, identity: str, key: str) -> str:
        digest = hmac.digest(self._signing_key, f"guest:{identity}:{fold(key)}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:18]).decode()
