"""The addresses of Redis servers: `redis://user:password@host:6379/0`, or `rediss://…` for TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from hubbub.broker.redis_log import ServerLog
from hubbub.errors import ConfigurationError

DEFAULT_PORT = 6379

_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""The parameters that may follow a `?`; they have redis-py's names."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a server is and how to log in there. Its text has no password."""

    host: str
    port: int = DEFAULT_PORT
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    is_tls: bool = False
    files: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    log: ServerLog = field(default_factory=ServerLog, repr=False, compare=False)
    """For the links of one node. The parts of a node share the object of an address, so that they share this too."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' if self.is_tls else ''}://{host}:{self.port}/{self.database}"

    def tls(self) -> ssl.SSLContext | None:
        """The settings of TLS; None without TLS. Raises `ConfigurationError` if a file of certificates cannot be
        used."""
        if not self.is_tls:
            return None
        files = dict(self.files)
        try:
            context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
            if "ssl_certfile" in files:
                context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the certificates for {self} cannot be used: {error}") from None
        return context


def parse_addresses(urls: str) -> list[RedisAddress]:
    """The servers of a list of addresses, in its order. Raises `ConfigurationError`, which quotes no address, because
    it may hold a password."""
    parts = urls.split(",")
    addresses = []
    for number, part in enumerate(parts, 1):
        which = f"address {number} of {len(parts)}" if len(parts) > 1 else "it"
        try:
            addresses.append(_parse(part.strip()))
        except ValueError as error:
            raise ConfigurationError(
                f"broker_url: {which} {error}. Write redis://HOST:PORT/DATABASE, or redis://USER:PASSWORD@HOST, with "
                "rediss:// for TLS; special characters of a password as %XX; a comma between several servers"
            ) from None
    if len({(address.host, address.port, address.database) for address in addresses}) < len(addresses):
        raise ConfigurationError("broker_url: it names the same server twice")
    return addresses


def _parse(url: str) -> RedisAddress:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address: its host or port cannot be read") from None
    if parts.scheme not in {"redis", "rediss"}:
        raise ValueError("does not begin with redis:// or rediss://")
    if not host or parts.fragment:
        raise ValueError("names no host, or has a # in it (%23 in a password)")
    database = parts.path.removeprefix("/") or "0"
    if not (database.isascii() and database.isdigit()):
        raise ValueError("has no number of a database after its /")
    options = parse_qsl(parts.query, keep_blank_values=True)
    for name, file in options:
        if name not in _FILES:
            raise ValueError(f"has an option after its ? that is none of {', '.join(_FILES)}")
        if not Path(file).is_file():
            raise ValueError(f"names a file in {name} that is not there")
    return RedisAddress(
        host=host,
        port=port or DEFAULT_PORT,
        database=int(database),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        is_tls=parts.scheme == "rediss",
        files=tuple(options),
    )
