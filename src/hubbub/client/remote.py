"""Sends from outside: a process without a connection (a cron job, a worker, a Django application) uses HTTP and an API
key.

It needs nothing but the standard library. The work is done in the calling thread; the functions for `await` do it in
another one.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request

from hubbub.client.backoff import Backoff
from hubbub.client.requests import CODES, MAY_PASS, opener_to
from hubbub.client.room import new_key
from hubbub.client.session import ERRORS
from hubbub.errors import ConfigurationError, InEventLoop, Internal, Invalid, RequestError, Unavailable
from hubbub.wire.base import Event
from hubbub.wire.keys import is_key
from hubbub.wire.topics import Level

ANSWER_BYTES = 64 * 1024
FIRST_WAIT, LONGEST_WAIT = 0.2, 2.0
"""Seconds between two attempts: a random time below a limit that doubles."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that is stored. In a room that stores nothing it was only published, and has no `seq` and no `rev`."""

    room: str
    ts: str
    seq: int | None = None
    rev: int | None = None


class Remote:
    """A hub that another process serves. It keeps no connection open; one object serves all threads.

    `url` is the address under which the hub's routes are: `https://chat.example.com`, or with the prefix of the router
    `https://app.example.com/chat`. `key` is an API key. `timeout` is how many seconds a call may take, with all its
    attempts. Raises `ConfigurationError` for an address or a key that cannot be one.

    All calls raise what the server refuses them with: `Unauthenticated` for a key that is wrong or revoked, `Forbidden`
    for one without the scope, `Invalid`, `RateLimited` and others. They raise `Unavailable` if the server cannot be
    reached in time. What certainly was not done is tried again until then. A message is tried again in any case: it has
    an idempotency key, so it is stored once.
    """

    def __init__(self, url: str, key: str, *, timeout: float = 10.0) -> None:
        self._url = _checked_url(url)
        if not key.isascii() or not key.isprintable() or not key or " " in key:
            raise ConfigurationError("this is no API key: `hubbub key add` makes one")
        self._authorization = f"Bearer {key}"
        self._timeout = timeout
        self._opener = opener_to(self._url)

    def __repr__(self) -> str:
        return f"Remote({self._url!r})"

    def rooms(self, key: str) -> RemoteRoom:
        """A room. Raises `Invalid` if `key` is no key."""
        return RemoteRoom(self, key)

    def users(self, key: str | int) -> RemoteUser:
        """A user, connected or not. Raises `Invalid` if `key` is no key."""
        return RemoteUser(self, str(key))

    def topics(self, key: str) -> RemoteTopic:
        """A topic. Raises `Invalid` if `key` is no topic."""
        return RemoteTopic(self, key)

    def _post(self, path: str, body: Mapping[str, Any], *, repeatable: bool) -> dict[str, Any]:
        """`repeatable` says that the server does the same request only once."""
        try:
            content = json.dumps(body).encode()
        except (TypeError, ValueError) as error:
            raise Invalid(f"this cannot be sent as JSON: {error}") from None
        deadline = time.monotonic() + self._timeout
        backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        while True:
            try:
                return self._attempt(path, content, deadline - time.monotonic())
            except _FailedError as failed:
                wait = max(backoff.next(), (failed.error.retry_after or 0) / 1000)
                again = failed.not_done or (repeatable and failed.may_pass)
                if not again or time.monotonic() + wait >= deadline:
                    raise failed.error from None
            time.sleep(wait)

    def _attempt(self, path: str, content: bytes, seconds: float) -> dict[str, Any]:
        """Raises `_FailedError`."""
        request = Request(  # noqa: S310 - http and https only: `_checked_url`
            self._url + path,
            data=content,
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
            method="POST",
        )
        # A lost answer must leave time for another attempt.
        seconds = max(0.05, min(seconds, self._timeout / 2))
        try:
            with self._opener.open(request, timeout=seconds) as response:
                answer = json.loads(response.read(ANSWER_BYTES))
        except HTTPError as refused:
            raise _refusal(refused) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        except ValueError:
            raise _FailedError(Internal(f"{self._url} does not answer as Hubbub does")) from None
        if not isinstance(answer, dict):
            raise _FailedError(Internal(f"{self._url} does not answer as Hubbub does"))
        return answer

    def _unreachable(self, error: Exception) -> _FailedError:
        reason = error.reason if isinstance(error, URLError) else error
        return _FailedError(
            Unavailable(f"{self._url} cannot be reached: {reason or type(reason).__name__}"),
            may_pass=not isinstance(reason, ssl.SSLCertVerificationError),
            not_done=isinstance(reason, (ConnectionRefusedError, socket.gaierror)),
        )


class _FailedError(Exception):
    """One attempt. `may_pass`: a later one may succeed. `not_done`: the server certainly did nothing, and a later one
    may succeed."""

    def __init__(self, error: RequestError, *, may_pass: bool = False, not_done: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.may_pass = may_pass
        self.not_done = not_done


def _refusal(refused: HTTPError) -> _FailedError:
    try:
        with refused:
            body = json.loads(refused.read(ANSWER_BYTES))
        code, message = str(body["code"]), str(body["message"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        # A proxy has answered, or another server.
        error = ERRORS[CODES.get(refused.code, "internal")](f"the server answered {refused.code}")
        if refused.code in MAY_PASS:
            error = Unavailable(f"the server answered {refused.code}")
        return _FailedError(error, may_pass=refused.code in MAY_PASS)
    retry_after = body.get("retry_after")
    error = ERRORS.get(code, Internal)(
        message,
        retry_after=retry_after if isinstance(retry_after, int) else None,
        errors=body.get("errors"),
    )
    return _FailedError(error, may_pass=refused.code in MAY_PASS, not_done=code in {"rate_limited", "unavailable"})


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or not url.isascii() or " " in url:
        raise ConfigurationError(
            f"{url!r} is no address of a hub: it begins with http:// or https://, such as https://chat.example.com, "
            "and has no query and no password"
        )
    return url.rstrip("/")


def _check_thread() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise InEventLoop


class _RemoteHandle:
    __slots__ = ("_remote", "key")

    def __init__(self, remote: Remote, key: str) -> None:
        if not is_key(key):
            raise Invalid(f"{key!r} is no key: 1 to 64 of A-Z a-z 0-9 _ . : @ | -, beginning with a letter or digit")
        self._remote = remote
        self.key = key

    def _post(self, path: str, body: Mapping[str, Any], *, repeatable: bool = False) -> dict[str, Any]:
        return self._remote._post(path.format(quote(self.key, safe="")), body, repeatable=repeatable)


class RemoteRoom(_RemoteHandle):
    """A room of a hub that another process serves."""

    __slots__ = ()

    async def send(self, text: str, *, data: dict[str, Any] | None = None, key: str | None = None) -> SentMessage:
        """Say something to everybody in the room, as the application (`kind: system`).

        `key` is an idempotency key of 8 to 64 visible ASCII characters; without it one is made. Give your own if your
        whole job may run again: the same message under the same key is stored once. Raises what `Remote` says.
        """
        return await asyncio.to_thread(self.send_sync, text, data=data, key=key)

    def send_sync(self, text: str, *, data: dict[str, Any] | None = None, key: str | None = None) -> SentMessage:
        """`send`, in this thread."""
        _check_thread()
        body = {"text": text, "data": data, "key": key if key is not None else new_key()}
        sent = self._post("/api/v1/app/rooms/{}/messages", body, repeatable=True)
        return SentMessage(sent["room"], sent["ts"], sent.get("seq"), sent.get("rev"))


class RemoteUser(_RemoteHandle):
    """A user of a hub that another process serves."""

    __slots__ = ()

    async def send(self, event: Event | Mapping[str, Any]) -> int:
        """Send an event of the application's own to all connections of the user. Returns how many these are. Raises
        what `Remote` says; after `Unavailable` it may have been sent."""
        return await asyncio.to_thread(self.send_sync, event)

    def send_sync(self, event: Event | Mapping[str, Any]) -> int:
        """`send`, in this thread."""
        _check_thread()
        body = event.model_dump(mode="json", exclude_none=True) if isinstance(event, Event) else event
        return int(self._post("/api/v1/app/users/{}/events", body)["sent"])


class RemoteTopic(_RemoteHandle):
    """A topic of a hub that another process serves."""

    __slots__ = ()

    async def publish(
        self, title: str, message: str = "", *, level: Level = "info", data: dict[str, Any] | None = None
    ) -> int:
        """Tell everybody who follows the topic. Returns how many connections these are. Raises what `Remote` says;
        after `Unavailable` it may have been published."""
        return await asyncio.to_thread(self.publish_sync, title, message, level=level, data=data)

    def publish_sync(
        self, title: str, message: str = "", *, level: Level = "info", data: dict[str, Any] | None = None
    ) -> int:
        """`publish`, in this thread."""
        _check_thread()
        body = {"title": title, "message": message, "level": level, "data": data}
        return int(self._post("/api/v1/app/topics/{}/notifications", body)["sent"])
