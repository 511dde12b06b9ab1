"""JSON Web Tokens (RFC 7519): who signed one, for whom, until when.

Our own are signed with the server's secret (HS256). Another issuer's are signed with keys that we only read
(`ALGORITHMS`). Which key is tried depends on the algorithm alone, so a public key is never used as a secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hubbub.accounts.identity import Authenticated
from hubbub.accounts.jwks import ALGORITHMS, IssuerKeys
from hubbub.accounts.revocations import TOKENS_LAST
from hubbub.errors import ConfigurationError, Unauthenticated
from hubbub.wire.identity import Role, User
from hubbub.wire.keys import clean_name, is_key

log = logging.getLogger("hubbub.admission")

OURS = "hubbub"
"""`iss` and `aud` of tokens that are signed with the server's secret."""
TOKEN_BYTES = 8 * 1024
PROVEN_KEPT = 4096
LEEWAY = 5.0
"""Seconds by which the issuer's clock may be ahead."""
REQUIRED = ("exp", "iat", "sub")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody else, whose tokens are believed."""

    name: str
    """What `iss` must be."""
    audience: str
    """What `aud` must be, or contain."""
    keys: IssuerKeys


@dataclass(frozen=True, slots=True)
class _Proven:
    """What a token says whose signature and claims are good. Whether it is in time is asked each time."""

    who: Authenticated
    issued: float
    ends: float
    signed_by: tuple[str, str | None, Any] | None
    """Algorithm, key id and key of another issuer; None for our own secret."""


class Tokens:
    """Believes tokens. `secrets` sign our own; `issuer` is somebody else, if there is one. `is_revoked(key, issued)`
    says whether what a user had then was revoked."""

    def __init__(
        self, *, secrets: Sequence[bytes], issuer: Issuer | None, is_revoked: Callable[[str, float], bool]
    ) -> None:
        self._secrets = tuple(secrets)
        self._issuer = issuer
        self._is_revoked = is_revoked
        self._proven: dict[bytes, _Proven] = {}
        """By the SHA-256 of the token. Clients that come back show the same one, and to check a signature would cost
        more than the rest of their admission. What is refused is not kept."""

    @property
    def are_believed(self) -> bool:
        """Whether any token can be good."""
        return bool(self._secrets) or self._issuer is not None

    async def verify(self, token: str) -> Authenticated:
        """Who the token says it is, if it is good. Raises `Unauthenticated`, and `Unavailable` if the issuer's keys are
        not known now."""
        if not self.are_believed:
            raise Unauthenticated("this server takes no tokens: see the settings `secret` and `token_keys`")
        if len(token) > TOKEN_BYTES:
            raise _refused("it is too long")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        proven = self._proven.get(digest)
        if proven is None or not await self._is_still_signed(proven):
            proven = await self._prove(token)
            if len(self._proven) >= PROVEN_KEPT:
                del self._proven[next(iter(self._proven))]
            self._proven[digest] = proven
        self._check_time(proven)
        return proven.who

    async def _is_still_signed(self, proven: _Proven) -> bool:
        """Whether the issuer still has the key. Its keys are other objects each time they are read."""
        if proven.signed_by is None or self._issuer is None:
            return proven.signed_by is None
        algorithm, id, key = proven.signed_by
        return await self._issuer.keys.find(algorithm, id) is key

    async def _prove(self, token: str) -> _Proven:
        try:
            import jwt
        except ModuleNotFoundError:
            raise ConfigurationError(
                "tokens need PyJWT, which is not installed: pip install 'hubbub[server]'"
            ) from None
        try:
            header = _header(token.partition(".")[0])
            if "crit" in header:
                # RFC 7515, section 4.1.11: who does not understand an extension must refuse. We understand none.
                raise _refused("it needs extensions that are not known here")
            if header.get("alg") == "HS256":
                return self._ours(jwt, token)
            return await self._theirs(jwt, token, header)
        except (jwt.exceptions.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            # What is wrong is for the operator. The message never holds the token.
            log.debug("a token is refused: %s", type(error).__name__)
            expired = isinstance(error, jwt.exceptions.ExpiredSignatureError)
            raise _refused("it has expired" if expired else "it proves nothing here") from None

    def _ours(self, jwt: Any, token: str) -> _Proven:
        for secret in self._secrets:
            try:
                claims = _claims(jwt, token, secret, "HS256", audience=OURS, issuer=OURS)
            except jwt.exceptions.InvalidSignatureError:
                continue
            return _read(claims, role=_role(claims.get("role")))
        raise _refused("it proves nothing here")

    async def _theirs(self, jwt: Any, token: str, header: dict[str, Any]) -> _Proven:
        issuer, algorithm, id = self._issuer, header.get("alg"), header.get("kid")
        if issuer is None or algorithm not in ALGORITHMS:
            raise _refused("it is not signed in a way that is believed here")
        key = await issuer.keys.find(algorithm, id)
        if key is None:
            raise _refused("its issuer does not know the key that has signed it")
        claims = _claims(jwt, token, key, algorithm, audience=issuer.audience, issuer=issuer.name)
        return _read(claims, role=Role.MEMBER, signed_by=(algorithm, id, key))

    def _check_time(self, proven: _Proven) -> None:
        now = time.time()
        if proven.ends <= now:
            raise _refused("it has expired")
        if proven.issued < now - TOKENS_LAST:
            raise _refused("it was issued too long ago")
        if self._is_revoked(proven.who.user.key, proven.issued):
            raise _refused("it was revoked")


def _read(claims: dict[str, Any], *, role: Role, signed_by: tuple[str, str | None, Any] | None = None) -> _Proven:
    key, issued, ends = claims["sub"], float(claims["iat"]), float(claims["exp"])
    if not isinstance(key, str) or not is_key(key):
        raise _refused("its `sub` is no key")
    # A connection lasts no longer than a token is taken.
    who = Authenticated(User(key, _name(claims, key), role=role), expires=min(ends, issued + TOKENS_LAST))
    return _Proven(who, issued, ends, signed_by)


@lru_cache(maxsize=64)
def _header(part: str) -> dict[str, Any]:
    """The header of a token, which is the same in all tokens of one key. Raises ValueError, TypeError."""
    header = json.loads(base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4)))
    if not isinstance(header, dict):
        raise TypeError("a header is an object")
    return header


def _claims(jwt: Any, token: str, key: Any, algorithm: str, *, audience: str, issuer: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=audience,
        issuer=issuer,
        leeway=LEEWAY,
        options={"require": [*REQUIRED, "aud", "iss"]},
    )
    return claims


def _name(claims: dict[str, Any], key: str) -> str:
    for claim in ("name", "preferred_username"):
        if isinstance(name := claims.get(claim), str):
            try:
                return clean_name(name)
            except ValueError:
                continue
    return key


def _role(claim: Any) -> Role:
    return Role.ADMIN if claim == Role.ADMIN.value else Role.MEMBER


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"this token is not good: {why}")
