"""TLS on our own sockets, for a server without a proxy in front of it.

Sockets are accepted without TLS, and the handshake is ours to start. So a socket is counted, and its time runs, from
its first moment; and each handshake takes the certificate of now, which another program may renew while we serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

from uvicorn.protocols.utils import get_remote_addr, is_ssl

from hubbub.delivery.transport import LOW_WATER
from hubbub.errors import ConfigurationError
from hubbub.files import check_regular
from hubbub.serving.http_protocol import HTTPProtocol, file_number
from hubbub.serving.records import stand_before_tls
from hubbub.serving.sockets import Verdict
from hubbub.settings import Settings

log = logging.getLogger("hubbub")

LOOKED_AT_EVERY = 5.0
"""Seconds. When somebody connects after them, the files are asked whether they have changed."""
CLOSING = 5.0
"""Seconds for the client to end TLS after we did. Then the link is cut."""

_Version = tuple[tuple[int, int, int], ...]
"""What changes with the files."""


class Certificate:
    """The server's certificate and key, as they are in their files now.

    Raises `ConfigurationError` if they can't be used. If that is so later, the last good ones are kept, and the log
    says why.
    """

    def __init__(
        self, certificate: Path, key: Path | None, *, password: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._certificate = certificate
        self._key = key or certificate
        self._password = password
        self._clock = clock
        self._looked_at = clock()
        self._version = self._read_version()
        self._context = self._load()

    @classmethod
    def of(cls, settings: Settings) -> Certificate | None:
        """That of the settings; None without one, if the server speaks no TLS."""
        if settings.tls_certificate is None:
            if settings.tls_key is not None:
                raise ConfigurationError("HUBBUB_TLS_KEY needs HUBBUB_TLS_CERTIFICATE: a key alone makes no TLS")
            return None
        secret = settings.tls_key_password
        password = secret.get_secret_value() if secret is not None else ""
        return cls(settings.tls_certificate, settings.tls_key, password=password)

    def context(self) -> ssl.SSLContext:
        """For the next handshake."""
        now = self._clock()
        if now - self._looked_at >= LOOKED_AT_EVERY:
            self._looked_at = now
            self._look()
        return self._context

    def _look(self) -> None:
        version = self._read_version()
        if version == self._version:
            return
        self._version = version
        try:
            self._context = self._load()
        except ConfigurationError as error:
            # Programs renew one file after the other. The second one is another version.
            log.warning("the TLS certificate has changed, and the last one is kept: %s", error)
        else:
            log.info("the TLS certificate has changed: new connections get the new one")

    def _read_version(self) -> _Version:
        with contextlib.suppress(OSError):
            found = (path.stat() for path in (self._certificate, self._key))
            return tuple((status.st_mtime_ns, status.st_ino, status.st_size) for status in found)
        return ()

    def _load(self) -> ssl.SSLContext:
        _check_readable("HUBBUB_TLS_CERTIFICATE", self._certificate)
        _check_readable("HUBBUB_TLS_KEY", self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        try:
            # Without a password, OpenSSL would ask for it in the terminal.
            context.load_cert_chain(self._certificate, self._key, password=self._password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigurationError(self._what_is_wrong(error)) from None
        return context

    def _what_is_wrong(self, error: Exception) -> str:
        reason = getattr(error, "reason", None) or ""
        if reason == "KEY_VALUES_MISMATCH":
            return (
                f"the key in {self._key} is not that of the certificate in {self._certificate}: give the two files "
                "that were made together; the server's own certificate is first in its file, then its authority's"
            )
        if b"ENCRYPTED" in self._key.read_bytes():
            return f"the key in {self._key} is encrypted: give its password with HUBBUB_TLS_KEY_PASSWORD"
        return (
            f"there is no certificate with its key in {self._certificate} and {self._key} "
            f"({reason.lower().replace('_', ' ') or type(error).__name__}): both must be PEM, which begins with "
            "`-----BEGIN`. HUBBUB_TLS_KEY names the key's file, if it is another one than the certificate's"
        )


def _check_readable(setting: str, path: Path) -> None:
    try:
        check_regular(path)  # to open a FIFO would take for ever
        with path.open("rb"):
            return
    except OSError as error:
        raise ConfigurationError(
            f"{setting}: {path} cannot be read ({error.strerror}). The user who runs the server must be able to read it"
        ) from None


class EncryptedTransport:
    """The TLS transport, which may be closed twice, and which also counts the bytes that wait in the socket's own
    transport below it: otherwise a client that takes these slowly would seem to take nothing."""

    def __init__(self, plain: asyncio.Transport, encrypted: asyncio.Transport) -> None:
        self._plain = plain
        self._encrypted = encrypted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encrypted, name)

    def close(self) -> None:
        # A second call would make asyncio's transport unusable.
        if not self._encrypted.is_closing():
            self._encrypted.close()

    def get_write_buffer_size(self) -> int:
        return self._encrypted.get_write_buffer_size() + self._plain.get_write_buffer_size()


class HTTPSProtocol(HTTPProtocol):
    """`HTTPProtocol` behind a TLS handshake, for which a client has as long as for a request's head."""

    certificate: ClassVar[Certificate]
    _encrypting: asyncio.Task[None] | None = None
    """Until the handshake is complete."""
    _early = b""
    """What came before TLS took the socket over; later, what came before the end of the handshake was noticed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if is_ssl(transport):
            super().connection_made(transport)
            return
        self.transport = transport
        self.client = get_remote_addr(transport)
        self.connections.add(self)
        address = "" if self._sockets.limits.proxies.trusts(self._address) else self._address
        if self._sockets.enter(self._place, address, file_number(transport)) in {Verdict.DROP, Verdict.NO_FILES}:
            self._drop("there is no place for another TLS handshake")
            return
        self._sockets.watch(self)
        # Otherwise a slow client would have two full buffers.
        transport.set_write_buffer_limits(high=LOW_WATER)
        self._encrypting = self.loop.create_task(self._encrypt(transport))

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            self._not_encrypted(None)
            return
        # `start_tls` takes the socket over before it waits, and it reads nothing in this turn of the loop.
        self.loop.call_soon(self._count_records)
        try:
            encrypted = await self.loop.start_tls(
                transport,
                self,
                self.certificate.context(),
                server_side=True,
                ssl_handshake_timeout=self._sockets.limits.head_timeout,
                ssl_shutdown_timeout=CLOSING,
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError) as error:
            self._not_encrypted(error)
            return
        self._encrypting = None
        if encrypted is None or encrypted.is_closing():
            self._not_encrypted(None)
            return
        # It is counted already, and counted once.
        self.connection_made(cast(asyncio.Transport, EncryptedTransport(transport, encrypted)))
        if self._early:
            self.data_received(self._early)
            self._early = b""

    def _count_records(self) -> None:
        """Also those that came before TLS did. Often that is a client's whole first message: it waits in the kernel
        while the server is busy, and is read in the turn of the loop in which the socket is accepted."""
        early, self._early = self._early, b""
        if not self.transport.is_closing():
            stand_before_tls(self.transport).feed(early)

    def data_received(self, data: bytes) -> None:
        if self._encrypting is None:
            super().data_received(data)
            return
        self._early += data
        if self.transport.get_protocol() is self:
            # Until TLS takes it over. No client has more than one read to send before it is answered.
            self.transport.pause_reading()

    def _not_encrypted(self, error: BaseException | None) -> None:
        log.debug("a TLS handshake of %s failed: %s", self._address, getattr(error, "reason", None) or error)
        self._encrypting = None
        self.transport.abort()
        self._leave()

    def _leave(self) -> None:
        self._sockets.unwatch(self)
        self._place.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if is_ssl(self.transport):
            super().connection_lost(exc)
        else:
            self._leave()

    def check_time(self, elapsed: float) -> None:
        if self._encrypting is None:
            super().check_time(elapsed)

    def give_way(self) -> bool:
        if self._encrypting is None:
            return super().give_way()
        self._drop("others need its file")
        return True


def https_protocol(certificate: Certificate, **attributes: Any) -> type[HTTPSProtocol]:
    """The class for a server with this certificate."""
    return type("HTTPSProtocol", (HTTPSProtocol,), {"certificate": certificate, **attributes})
