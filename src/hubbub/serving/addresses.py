"""Where a server can be reached, by this machine and by others."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from hubbub.origins import is_loopback

EVERY_IPV4, EVERY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, not bound

_OUTSIDE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation (RFC 5737, RFC 3849). Nothing is sent to them, but the system knows a route to them."""

_SIOCGIFADDR = 0x8915
_LINK_OR_HOST = {"10", "20"}
"""Scopes in /proc/net/if_inet6 of IPv6 addresses that other machines cannot use."""


def own_address(host: str | None, port: int, *, scheme: str = "http") -> str:
    """The address for a browser on this machine."""
    if host in {None, "127.0.0.1", "::1", EVERY_IPV4, EVERY_IPV6}:
        host = "localhost"
    return _url(scheme, str(host), port)


def addresses_for_others(host: str | None, port: int, *, scheme: str = "http") -> list[str]:
    """The addresses by which other machines reach a server that listens on `host`; none for a loopback."""
    if host is None or is_loopback(host):
        return []
    if host not in {EVERY_IPV4, EVERY_IPV6}:
        return [_url(scheme, host, port)]
    found = dict.fromkeys(_ipv4() if host == EVERY_IPV4 else _ipv6())
    return [_url(scheme, address, port) for address in found if not ip_address(address).is_loopback]


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def _ipv4() -> Iterator[str]:
    """This machine's addresses: first the one that is used towards other networks, then those that Linux names for each
    interface."""
    yield from _towards_outside(socket.AF_INET)
    if sys.platform != "linux":
        return
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # the interface has no address
                answer = fcntl.ioctl(sock, _SIOCGIFADDR, struct.pack("256s", name.encode()))
                yield socket.inet_ntoa(answer[20:24])


def _ipv6() -> Iterator[str]:
    yield from _towards_outside(socket.AF_INET6)
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            digits, _, _, scope, *_ = line.split()
            if scope not in _LINK_OR_HOST:
                yield str(ip_address(bytes.fromhex(digits)))


def _towards_outside(family: socket.AddressFamily) -> Iterator[str]:
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((_OUTSIDE[family], 9))  # UDP: this sends nothing
        yield sock.getsockname()[0]
