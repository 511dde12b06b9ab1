"""Origins of pages and names of hosts, as text: what the headers `Origin` and `Host` say, and what settings allow.

Nothing here asks a name server: a foreign name may well resolve to this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


class Origin(NamedTuple):
    """Scheme, host and port (RFC 6454, section 4). All names of the loopback are one host here: `localhost`."""

    scheme: str
    host: str
    port: int

    def is_of(self, server: Origin) -> bool:
        """Whether a page of this origin comes from `server`, the name by which the client asks for it.

        The schemes may differ, and so may the two default ports: a proxy that ends TLS hides which of them the page
        has.
        """
        same_port = self.port == server.port or {self.port, server.port} == {80, 443}
        return self.host == server.host and same_port


# There are few origins and hosts, and to parse one costs more than all other checks together.
@lru_cache(maxsize=1024)
def parse_origin(text: str) -> Origin | None:
    """Parse an origin; None for `null` and for anything that is not one."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    host = parts.hostname
    if default is None or not host or parts.username or parts.path not in {"", "/"} or parts.query or parts.fragment:
        return None
    return Origin(parts.scheme, "localhost" if is_loopback(host) else host, port or default)


@lru_cache(maxsize=1024)
def host_name(host: str) -> str | None:
    """The name or address in a `Host` header, in lower case and without the port; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def is_loopback(host: str | None) -> bool:
    """Whether a host name or address means this machine by itself, without asking a name server."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Whether this is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# What the person who runs the server may write.


def check_allowed_origin(text: str) -> str:
    """A value of `allowed_origins`, as it is. Raises ValueError if no page can match it, with what to write instead."""
    if text == "*":
        raise ValueError(
            "'*' would let any page of the web act for its visitors; name each origin, such as https://app.example.com"
        )
    if text == "null":
        raise ValueError(
            "'null' is what files and sandboxed frames send, whoever made them; serve the page by http or https, and "
            "name that origin"
        )
    if "*" in text:
        raise ValueError(f"{text!r} can never match: there are no patterns; name each origin")
    if "://" not in text:
        scheme = "http" if is_loopback(host_name(text)) else "https"
        raise ValueError(f"{text!r} can never match: an origin has a scheme; write {scheme}://{text.lstrip('/')}")
    scheme, _, rest = text.partition("://")
    if scheme.lower() in {"ws", "wss"}:
        raise ValueError(
            f"{text!r} can never match: it is the page's own address that counts; write http{scheme[2:]}://{rest}"
        )
    if scheme.lower() not in {"http", "https"}:
        raise ValueError(f"{text!r} can never match: an origin begins with http:// or https://")
    bare = rest.partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    if rest not in {bare, f"{bare}/"}:
        raise ValueError(f"{text!r} can never match: an origin is scheme, host and port; write {scheme}://{bare}")
    origin = parse_origin(text)
    if origin is None or not (is_address(origin.host) or _NAME.fullmatch(origin.host)):
        raise ValueError(f"{text!r} can never match: {_how_to_write(bare)}")
    return text


def check_allowed_host(text: str) -> str:
    """A value of `allowed_hosts`, in lower case. Raises ValueError, with what to write instead."""
    if text == "*":
        return text
    name = text.lower().removeprefix(".")
    if "://" in name or "/" in name:
        raise ValueError(f"{text!r} can never match: a host has no scheme and no path; write its name alone")
    if name.startswith("*."):
        raise ValueError(f"{text!r} can never match; all names below one are written so: {name[1:]}")
    if is_address(name.strip("[]")):
        return name.strip("[]")
    if ":" in name:
        raise ValueError(f"{text!r} can never match: the port does not count; write {text.partition(':')[0]}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} can never match: {_how_to_write(name)}")
    return text.lower().rstrip(".")


def check_public_url(text: str) -> str:
    """A value of `public_url`, without a slash at its end. Raises ValueError, with what to write instead."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or parse_origin(f"{parts.scheme}://{parts.netloc}") is None:
        raise ValueError(f"{text!r} is no address of a page; write one such as https://chat.example.com")
    if parts.query or parts.fragment:
        raise ValueError(f"{text!r} has more than the address of the page: leave out what begins with ? or #")
    return text.rstrip("/")


def _how_to_write(host: str) -> str:
    if not host.isascii():
        try:
            return f"browsers send this name in ASCII: {host.encode('idna').decode()}"
        except UnicodeError:
            pass
    return "that is no name of a host"
