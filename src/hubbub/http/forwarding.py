"""Which proxies are believed about where a request comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
HeaderList = list[tuple[bytes, bytes]]


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""

    def __init__(self, networks: Iterable[IPNetwork] = ()) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return self._covers(peer)

    def _covers(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def client(self, peer: str, headers: HeaderList) -> str:
        """The address of the client whose request came through the trusted proxy `peer`.

        Each proxy appends the address that called it. So the list is read backwards, up to the first address that is
        not a trusted proxy. Anybody may have written what stands before that.
        """
        client = peer
        for hop in _backwards(headers, b"x-forwarded-for"):
            try:
                address = ipaddress.ip_address(_without_port(hop))
            except ValueError:
                break
            client = str(address)
            if not self._covers(address):
                break
        return client

    def scheme(self, headers: HeaderList) -> str | None:
        """`http` or `https`, as the nearest proxy says; None if it says neither."""
        scheme = next(_backwards(headers, b"x-forwarded-proto"), None)
        return scheme if scheme in {"http", "https"} else None


def _backwards(headers: HeaderList, name: bytes) -> Iterator[str]:
    for field, value in reversed(headers):
        if field == name:
            for item in reversed(value.decode("latin-1").split(",")):
                yield item.strip()


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
