"""The public keys of somebody else's issuer (JSON Web Key Set, RFC 7517), from a file or an address.

The issuer is not ours: it may be slow, down, huge, or say nonsense. So its answer has a deadline and a size, it is
asked again only after a pause, and clients wait for one attempt together. Keys that were read stay good for a day while
it is down. Whoever sends tokens with made-up key ids cannot make us ask more often.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hubbub.accounts.issuer_requests import ask, is_protected
from hubbub.errors import ConfigurationError, Unavailable
from hubbub.files import check_regular
from hubbub.store.threads import call_in_thread

log = logging.getLogger("hubbub")

ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The signatures that are believed, with the kind of key and the curve of each (RFC 7518, section 3.1; RFC 8037). All
are made with a private key: with a shared secret, whoever can check a signature could make one."""
DEADLINE = 5.0
"""Seconds for the issuer to answer, in all."""
MOST_BYTES = 256 * 1024
MOST_KEYS = 100
LEAST_RSA_BITS = 2048
"""RFC 7518, section 3.3."""
FRESH = 600.0
"""Seconds after which keys are read again. A key that the issuer has withdrawn is refused from then on."""
PAUSE = 10.0
"""Seconds between two attempts, for an unknown key id too."""
STALE = 24 * 3600.0
"""Seconds for which keys stay good if the issuer cannot be asked."""


class KeySource(Protocol):
    """Where keys are; `place` says it in words."""

    @property
    def place(self) -> str: ...

    def load(self) -> bytes:
        """The key set, read in a thread. Raises OSError or ValueError, with a message for the operator."""


def source_at(place: str) -> KeySource:
    """A file, or an `https://` address; `http://` on this machine only. Raises `ConfigurationError`."""
    if "://" not in place:
        return _File(Path(place))
    if not is_protected(place):
        raise ConfigurationError(
            f"token_keys: {place!r} must be a file or an https:// address: whoever can change the keys on their way "
            "can log in as anybody"
        )
    return _Address(place)


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path.absolute())

    def load(self) -> bytes:
        check_regular(self._path)
        with self._path.open("rb") as file:
            return file.read(MOST_BYTES + 1)


class _Address:
    def __init__(self, url: str) -> None:
        self.place = url

    def load(self) -> bytes:
        status, content = ask(self.place, deadline=DEADLINE, most=MOST_BYTES)
        if status != 200:
            raise ValueError(f"it answers {status}")
        return content


class IssuerKeys:
    """Finds keys by their ids. Use it in one event loop."""

    def __init__(self, source: KeySource, *, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._keys: dict[tuple[str, str], list[Any]] = {}
        """By algorithm and key id."""
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._loading: asyncio.Future[bytes] | None = None
        """The thread of the latest attempt, which may hang for longer than anybody waits."""
        self._problem: str | None = None

    async def find(self, algorithm: str, id: str | None) -> Any | None:
        """The key for a token, None if the issuer has none. A token that names no key is only good if there is just
        one key for its algorithm.

        Raises `Unavailable` if the issuer's keys are not known, because it does not answer.
        """
        found = self._known(algorithm, id)
        now = self._clock()
        if found is None or now - self._read_at >= FRESH:
            self._read_again(now)
        if found is not None and now - self._read_at < STALE:
            return found
        if self._reading is not None:
            # If one of those who wait goes away, the others go on.
            await asyncio.shield(self._reading)
        if self._clock() - self._read_at >= STALE:
            raise Unavailable("who signs tokens does not say with which keys; come back later", retry_after=5_000)
        return self._known(algorithm, id)

    def _known(self, algorithm: str, id: str | None) -> Any | None:
        if id is None:
            keys = [key for (other, _), some in self._keys.items() if other == algorithm for key in some]
        else:
            keys = self._keys.get((algorithm, id), [])
        return keys[0] if len(keys) == 1 else None

    def _read_again(self, now: float) -> None:
        hangs = self._loading is not None and not self._loading.done()
        if self._reading is None and not hangs and now - self._tried_at >= PAUSE:
            self._tried_at = now
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            self._loading = asyncio.ensure_future(call_in_thread(self._source.load, name="hubbub-issuer-keys"))
            self._loading.add_done_callback(_forget)
            self._keys = read_keys(await asyncio.wait_for(asyncio.shield(self._loading), DEADLINE))
            self._read_at = self._clock()
            self._say(None)
        except (OSError, ValueError, TimeoutError, ConfigurationError) as error:
            self._say(str(error) or f"it did not answer within {DEADLINE:g} s")
        finally:
            self._reading = None

    def _say(self, problem: str | None) -> None:
        """Log what is wrong once, and when it is over."""
        if problem is not None and self._problem is None:
            log.warning("the keys of %s cannot be read: %s", self._source.place, problem[:200])
        elif problem is None and self._problem is not None:
            log.info("the keys of %s are read again", self._source.place)
        self._problem = problem


def _forget(loading: asyncio.Future[bytes]) -> None:
    """Take the exception of a thread for which nobody waits any more."""
    if not loading.cancelled():
        loading.exception()


def read_keys(content: bytes) -> dict[tuple[str, str], list[Any]]:
    """The usable keys of a set, by algorithm and key id. Others are left out: those of algorithms that we do not
    believe, secret ones, those for encryption, and RSA keys that are too short. Raises ValueError for anything else
    than a key set."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ValueError(f"it is not a JSON Web Key Set of at most {MOST_KEYS} keys")
    keys: dict[tuple[str, str], list[Any]] = {}
    for entry in entries:
        for algorithm in _algorithms_of(entry):
            try:
                key = PyJWK(entry, algorithm).key
            except (PyJWTError, ValueError, TypeError, KeyError):
                break
            if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
                break
            keys.setdefault((algorithm, str(entry.get("kid", ""))), []).append(key)
    if not keys:
        raise ValueError(f"it holds no key for any of {', '.join(ALGORITHMS)}")
    return keys


def _algorithms_of(entry: Any) -> list[str]:
    """What a key may have signed: the algorithm that it names, or all of its kind."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return []
    return [
        algorithm
        for algorithm, (kind, curve) in ALGORITHMS.items()
        if entry.get("kty") == kind and curve in (None, entry.get("crv")) and entry.get("alg", algorithm) == algorithm
    ]
