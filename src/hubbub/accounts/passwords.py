"""Passwords: which ones are allowed, and their hashes by argon2id (RFC 9106).

A hash takes 19 MiB and some 30 ms, with the parameters of OWASP's Password Storage Cheat Sheet. So one thread of low
priority makes all of them, one at a time, and a bounded number may wait for it. The rest is told to come back.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hubbub.errors import ConfigurationError, Invalid, RateLimited
from hubbub.store.threads import Threads

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY, PASSES, LANES = 19 * 1024, 2, 1
"""KiB, passes over them, and threads."""
SHORTEST, LONGEST = 8, 256
"""Characters of a password."""
MOST_WAITING = 16
"""How many may wait for their turn: half a second's work."""
RETRY_AFTER = 2_000
NICENESS = 5
"""The scheduler gives a thread with this value a third of the time that it gives the event loop, if both want all. With
less, the thread can lose a busy processor for long while it has the interpreter's lock, and the event loop waits: with
10, the slowest messages beside 200 log-ins took longer than without any lower priority."""
NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$EGtVbapchMHaQQo0eHw4Jw$8k4mjmTQBJqHzJZY1DDYjmwID+aDw6/U883so9zDLc4"
"""The hash of a random password that was thrown away, with the same parameters. To check it takes as long as to check
somebody's."""

_COMMON = """
    password password1 password12 password123 passw0rd p@ssw0rd p@ssword 12345678 123456789 1234567890 87654321 12341234
    11223344 qwertyui qwertyuiop qwerty123 qwerty12 1q2w3e4r 1qaz2wsx abcd1234 abc12345 asdfghjk asdfghjkl iloveyou
    sunshine princess football baseball superman trustno1 letmein1 welcome1 welcome123 changeme admin123 administrator
    computer internet starwars whatever dragon12 monkey12 hubbub123
"""
"""Those of at least eight characters that lists of leaked passwords begin with."""


def check_password(password: str, username: str) -> None:
    """Raises `Invalid` for a password that is too short, too long, among the most common ones, or the username
    (NIST SP 800-63B, section 3.1.1.2)."""
    reason = None
    if len(password) < SHORTEST:
        reason = f"a password needs at least {SHORTEST} characters"
    elif len(password) > LONGEST:
        reason = f"a password has at most {LONGEST} characters"
    elif password.lower() in _COMMON.split() or len(set(password)) == 1:
        reason = "this is one of the passwords that everybody tries first; choose another"
    elif password.lower() == username.lower():
        reason = "a password must differ from the username"
    if reason is not None:
        raise Invalid(f"password: {reason}", errors=[{"loc": ["password"], "msg": reason, "type": "password"}])


class Passwords:
    """Makes and checks hashes. Use it in one event loop, and close it. `waiting` is how many may wait.

    Raises `ConfigurationError` if argon2 is not installed.
    """

    def __init__(self, *, waiting: int = MOST_WAITING) -> None:
        self._hasher = _hasher()
        self._places = waiting + 1
        self._thread = Threads(1, name="hubbub-passwords")
        self._thread.call(_lower_priority)

    @contextlib.contextmanager
    def place(self) -> Iterator[Hashing]:
        """A place in the queue, for this block. Take it before other work is done for somebody who has a password, so
        that this is not done in vain. Raises `RateLimited` if too many wait."""
        if not self._places:
            raise RateLimited("too many people log in at this moment; try again", retry_after=RETRY_AFTER)
        self._places -= 1
        try:
            yield Hashing(self._hasher, self._thread)
        finally:
            self._places += 1

    def close(self) -> None:
        self._thread.close()


class Hashing:
    """What somebody with a place in the queue may do, one thing after the other."""

    def __init__(self, hasher: PasswordHasher, thread: Threads) -> None:
        self._hasher = hasher
        self._thread = thread

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._thread.call(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether this is the password of a stored hash. None stands for the hash of nobody: that takes as long, and is
        False."""
        if len(password) > LONGEST:
            password, stored = "", None
        return await self._thread.call(lambda: self._matches(stored or NOBODYS, password)) and bool(stored)

    def _matches(self, stored: str, password: str) -> bool:
        from argon2.exceptions import Argon2Error, InvalidHashError

        try:
            return self._hasher.verify(stored, _normal(password))
        except (Argon2Error, InvalidHashError):
            return False


def hash_password(password: str) -> str:
    """The hash to store, made in this thread: for commands. Raises `ConfigurationError` if argon2 is not installed."""
    return _hasher().hash(_normal(password))


def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ModuleNotFoundError:
        raise ConfigurationError("accounts need the package argon2-cffi: pip install 'hubbub[server]'") from None
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY, parallelism=LANES)


def _normal(password: str) -> str:
    """One form, whichever keyboard has typed it (NIST SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _lower_priority() -> None:
    if sys.platform == "linux":
        # On Linux a thread has a priority of its own.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
