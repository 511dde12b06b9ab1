"""Log-in at somebody else's provider: OpenID Connect, by an authorization code with PKCE.

The provider sends the browser back with a code, which is exchanged for an ID token. What the token proves is a subject
of this issuer, and nothing more: names and addresses in it are what the person has written there. The provider may be
slow, down, or lie, as any issuer (`jwks.py`). This module knows no accounts, no cookies and no routes.

Sources: OpenID Connect Core 1.0 (sections 3.1 and 5.3), Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (`iss`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from hubbub.accounts.issuer_requests import ask, is_protected
from hubbub.accounts.jwks import ALGORITHMS, DEADLINE, MOST_BYTES, PAUSE, STALE, IssuerKeys, source_at
from hubbub.errors import ConfigurationError, Forbidden, RateLimited, Unavailable
from hubbub.store.threads import call_in_thread

log = logging.getLogger("hubbub.admission")

WELL_KNOWN = "/.well-known/openid-configuration"
SCOPE = "openid profile"
FRESH = 3600.0
"""Seconds after which the provider's addresses are read again."""
LEEWAY = 30.0
"""Seconds by which the provider's clock may differ."""
MOST_AT_ONCE = 16
"""Requests to the provider. Each has a thread."""
_ERROR = re.compile(r"[a-z_]{1,40}")

Reason = Literal["expired", "cancelled", "failed", "uninvited", "deactivated", "banned"]


class LogInRefused(Forbidden):
    """Nobody is logged in. `reason` is for the page, which has a sentence for each."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Progress:
    """A log-in that has begun. Its browser keeps it."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def is_of(self, state: str) -> bool:
        return hmac.compare_digest(self.state.encode(), state.encode())


@dataclass(frozen=True, slots=True)
class Person:
    """Who has logged in at the provider. Only `issuer` and `subject` say who that is."""

    issuer: str
    subject: str
    username: str
    name: str
    """Empty, as `username`, if the provider does not say."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says about itself."""

    issuer: str
    authorization: str
    token: str
    keys: str
    user_info: str | None
    takes_basic: bool
    """Whether a client shows its secret in a header."""
    names_itself: bool
    """Whether each answer has `iss`."""


class Provider:
    """Use it in one event loop. `issuer` is the provider's address, or that of its discovery document; `redirect` is
    our address to which it sends browsers back.

    Raises `ConfigurationError` for an address that cannot be one, or if Authlib is not installed.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        client_secret: str | None,
        redirect: str,
        clock: Callable[[], float],
    ) -> None:
        if not is_protected(issuer):
            raise ConfigurationError(
                f"oidc_issuer: {issuer!r} must be an https:// address: whoever can change its answers on their way can "
                "log in as anybody"
            )
        try:
            import authlib.oauth2  # noqa: F401 - the rest of it is imported when somebody logs in
        except ModuleNotFoundError:
            raise ConfigurationError(
                "oidc_issuer: a log-in by OpenID Connect needs Authlib: pip install 'hubbub[server]'"
            ) from None
        self._issuer = issuer.removesuffix(WELL_KNOWN)
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect = redirect
        self._clock = clock
        self._metadata: Metadata | None = None
        self._keys: IssuerKeys | None = None
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._asking = 0

    async def begin(self, progress: Progress) -> str:
        """The provider's address to which the browser goes. Raises `Unavailable`."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        metadata = await self._known()
        address: str = prepare_grant_uri(
            metadata.authorization,
            self._client_id,
            "code",
            redirect_uri=self._redirect,
            scope=SCOPE,
            state=progress.state,
            nonce=progress.nonce,
            code_challenge=create_s256_code_challenge(progress.verifier),
            code_challenge_method="S256",
        )
        return address

    async def finish(self, progress: Progress, answer: Mapping[str, str]) -> Person:
        """Who has logged in, by the parameters with which the browser came back.

        Raises `LogInRefused`, `RateLimited` and `Unavailable`.
        """
        if not progress.is_of(answer.get("state", "")):
            raise LogInRefused("expired", "this is not the log-in that this browser has begun; try again")
        metadata = await self._known()
        issuer = answer.get("iss")
        if issuer != metadata.issuer and (issuer is not None or metadata.names_itself):
            raise _refused("another issuer answers")
        if (error := answer.get("error")) is not None:
            log.warning("the OpenID provider refuses a log-in: %s", error if _ERROR.fullmatch(error) else "?")
            raise LogInRefused(
                "cancelled" if error == "access_denied" else "failed", "the log-in was cancelled or refused"
            )
        tokens = await self._exchange(metadata, answer.get("code", ""), progress)
        claims = await self._claims(metadata, tokens, progress)
        profile = claims
        if metadata.user_info is not None and not {"name", "preferred_username"} & claims.keys():
            profile = await self._user_info(metadata.user_info, tokens.get("access_token"), claims["sub"])
        return Person(metadata.issuer, claims["sub"], _text(profile, "preferred_username"), _text(profile, "name"))

    async def _exchange(self, metadata: Metadata, code: str, progress: Progress) -> dict[str, Any]:
        from authlib.oauth2.auth import ClientAuth
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        if not code:
            raise _refused("it has no code")
        method = (
            ("client_secret_basic" if metadata.takes_basic else "client_secret_post") if self._client_secret else "none"
        )
        form = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._redirect, code_verifier=progress.verifier
        )
        address, headers, body = ClientAuth(self._client_id, self._client_secret, method).prepare(
            "POST", metadata.token, {"Content-Type": "application/x-www-form-urlencoded"}, form
        )
        status, tokens = await self._ask(address, body=body.encode(), headers=headers)
        if status != 200:
            error = str(tokens.get("error", ""))
            log.warning("the OpenID provider gives no token: %s %s", status, error if _ERROR.fullmatch(error) else "")
            if status >= 500 or status == 429:
                raise _unavailable()
            raise _refused("the provider does not take its code")
        return tokens

    async def _claims(self, metadata: Metadata, tokens: dict[str, Any], progress: Progress) -> dict[str, Any]:
        import jwt
        from authlib.oidc.core.claims import CodeIDToken
        from joserfc.errors import JoseError

        token = tokens.get("id_token")
        try:
            header = jwt.get_unverified_header(token)  # type: ignore[arg-type]  # anything else is a DecodeError
            algorithm, keys = header.get("alg"), self._keys
            if algorithm not in ALGORITHMS or "crit" in header or keys is None:
                raise _refused("the ID token is not signed in a way that is believed here")
            key = await keys.find(algorithm, header.get("kid"))
            if key is None:
                raise _refused("the provider does not know the key that has signed the ID token")
            claims: dict[str, Any] = jwt.decode(
                token,  # type: ignore[arg-type]
                key,
                algorithms=[algorithm],
                audience=self._client_id,
                issuer=metadata.issuer,
                leeway=LEEWAY,
                options={"require": ["aud", "exp", "iat", "iss", "sub"]},
            )
            shown = {
                "nonce": progress.nonce,
                "client_id": self._client_id,
                "access_token": tokens.get("access_token"),
            }
            CodeIDToken(claims, header, params=shown).validate(leeway=int(LEEWAY))
        except (jwt.exceptions.PyJWTError, JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _refused(f"the ID token is not good ({type(error).__name__})") from None
        subject = claims["sub"]
        if (
            not isinstance(subject, str)
            or not 0 < len(subject) <= 255
            or not (subject.isascii() and subject.isprintable())
        ):
            raise _refused("the ID token names no subject")
        return claims

    async def _user_info(self, address: str, access_token: Any, subject: str) -> dict[str, Any]:
        if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
            raise _refused("the provider gives no access token")
        status, profile = await self._ask(address, headers={"Authorization": f"Bearer {access_token}"})
        if status != 200:
            raise _unavailable()
        if profile.get("sub") != subject:
            raise _refused("the provider speaks of two people")
        return profile

    # What the provider says about itself.

    async def _known(self) -> Metadata:
        now = self._clock()
        if now - self._read_at >= FRESH and now - self._tried_at >= PAUSE and self._reading is None:
            self._tried_at = now
            self._reading = asyncio.create_task(self._read())
        if self._metadata is None or now - self._read_at >= STALE:
            if self._reading is not None:
                # If one of those who wait goes away, the others go on.
                await asyncio.shield(self._reading)
            if self._metadata is None or self._clock() - self._read_at >= STALE:
                raise _unavailable()
        return self._metadata

    async def _read(self) -> None:
        try:
            status, document = await self._ask(self._issuer.rstrip("/") + WELL_KNOWN)
            if status != 200:
                raise ValueError(f"it answers {status}")
            found = read_metadata(document, self._issuer)
            if self._metadata is None or self._metadata.keys != found.keys:
                self._keys = IssuerKeys(source_at(found.keys), clock=self._clock)
            self._metadata, self._read_at = found, self._clock()
        except (Unavailable, RateLimited):
            log.warning("the OpenID provider %s does not answer", self._issuer)
        except ValueError as error:
            log.warning("what the OpenID provider %s says of itself cannot be used: %s", self._issuer, error)
        finally:
            self._reading = None

    async def _ask(
        self, address: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of an answer, empty for anything else. Raises `RateLimited`, `Unavailable`."""
        if self._asking >= MOST_AT_ONCE:
            raise RateLimited("too many people log in at this moment; try again", retry_after=2_000)
        self._asking += 1
        request = partial(ask, address, deadline=DEADLINE, most=MOST_BYTES, body=body, headers=headers)
        asked = asyncio.ensure_future(call_in_thread(request, name="hubbub-openid"))
        asked.add_done_callback(self._answered)
        try:
            status, content = await asyncio.wait_for(asyncio.shield(asked), DEADLINE)
        except (OSError, ValueError, TimeoutError):
            raise _unavailable() from None
        try:
            found = json.loads(content) if len(content) <= MOST_BYTES else None
        except (ValueError, RecursionError):
            found = None
        return status, found if isinstance(found, dict) else {}

    def _answered(self, asked: asyncio.Future[tuple[int, bytes]]) -> None:
        self._asking -= 1
        if not asked.cancelled():
            # Perhaps nobody waits for it any more.
            asked.exception()


def read_metadata(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Raises ValueError if this cannot be what `issuer` says about itself, with a message for the operator."""
    named = document.get("issuer")
    # Some end it with a slash; what they say is what their tokens have.
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise ValueError("it names another issuer, or none")
    is_local = issuer.startswith("http://")

    def address_of(name: str) -> str:
        address = document.get(name)
        if not isinstance(address, str) or not is_protected(address) or (address.startswith("http:") and not is_local):
            raise ValueError(f"its {name} is no https:// address")
        return address

    methods = document.get("token_endpoint_auth_methods_supported")
    return Metadata(
        named,
        authorization=address_of("authorization_endpoint"),
        token=address_of("token_endpoint"),
        keys=address_of("jwks_uri"),
        user_info=address_of("userinfo_endpoint") if "userinfo_endpoint" in document else None,
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value[:200] if isinstance(value, str) else ""


def _refused(why: str) -> LogInRefused:
    # What is wrong is for the operator. The message never holds a code or a token.
    log.warning("a log-in by OpenID Connect is refused: %s", why)
    return LogInRefused("failed", "this log-in proves nothing here; try again")


def _unavailable() -> Unavailable:
    return Unavailable("the log-in provider does not answer; try again later", retry_after=10_000)
