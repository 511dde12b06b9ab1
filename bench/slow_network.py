"""A slow network in front of a server: each packet takes half a round trip, and all connections share the bandwidth.

Chromium can slow down its own requests, but then it adds the delay to whole requests, and knows no handshake of TCP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass

_PACKET = 1460


@dataclass(frozen=True, slots=True)
class Network:
    round_trip: float
    """Seconds."""
    down: float
    """Bits per second, as `up`."""
    up: float


SLOW_4G = Network(round_trip=0.15, down=1.6e6, up=750e3)
"""Lighthouse's "Slow 4G": https://github.com/GoogleChrome/lighthouse/blob/main/docs/throttling.md"""


@asynccontextmanager
async def through(network: Network, port: int) -> AsyncIterator[int]:
    """Gives another port, through which the network leads to the server on `port`."""
    links = {"down": _Link(network.round_trip / 2, network.down), "up": _Link(network.round_trip / 2, network.up)}

    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Client and server shake hands before the first byte: one round trip.
        await asyncio.sleep(network.round_trip)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(server_writer):
            async with asyncio.TaskGroup() as both:
                both.create_task(links["up"].carry(reader, server_writer))
                both.create_task(links["down"].carry(server_reader, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(carry(reader, writer))
        connections[connection] = writer
        connection.add_done_callback(end)

    def end(connection: asyncio.Task[None]) -> None:
        # Also if it was cancelled before it began.
        connections.pop(connection).close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1]
        proxy.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


class _Link:
    """One direction of the network."""

    def __init__(self, delay: float, bits_per_second: float) -> None:
        self._delay, self._bytes_per_second = delay, bits_per_second / 8
        self._free_at = 0.0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        packets: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as delivery:
            delivery.create_task(_deliver(packets, writer))
            data = b"-"
            while data:
                with suppress(ConnectionError):
                    data = await reader.read(_PACKET)
                self._free_at = max(self._free_at, loop.time()) + len(data) / self._bytes_per_second
                await packets.put((self._free_at + self._delay, data))
                await asyncio.sleep(self._free_at - loop.time())


async def _deliver(packets: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    """Writes each packet when it is due. An empty one is the end."""
    with suppress(ConnectionError):
        while True:
            due, data = await packets.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if not data:
                break
            writer.write(data)
    writer.close()
