"""The channels of this process. A channel is opened at the broker for its first subscriber, and closed after its last
one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from hubbub.delivery.channel import Channel

log = logging.getLogger("hubbub.delivery")

ChannelHook = Callable[[str], Awaitable[None]]


class Channels:
    """Channels by name, as long as they have a subscriber or are about to have one.

    `open_channel` is awaited before a channel's first subscriber counts as subscribed, `close_channel` after its last
    one has left. The two never overlap for one channel: if one overtook the other, the broker would end in the wrong
    state.
    """

    def __init__(self, *, open_channel: ChannelHook, close_channel: ChannelHook) -> None:
        self._open_channel = open_channel
        self._close_channel = close_channel
        self.by_name: dict[str, Channel] = {}
        self._shutting: dict[str, asyncio.Future[None]] = {}

    @property
    def is_empty(self) -> bool:
        return not self.by_name and not self._shutting

    def joining(self, name: str) -> Channel:
        """The channel, for a connection that is about to join. It stays until `joined` is called, which must follow."""
        channel = self.by_name.get(name)
        if channel is None:
            channel = self.by_name[name] = Channel(name)
        channel.joining += 1
        return channel

    def joined(self, channel: Channel) -> None:
        """The connection has joined the channel, or has given up."""
        channel.joining -= 1
        self.forget_if_empty(channel)

    async def opened(self, channel: Channel) -> None:
        """Returns when the broker has confirmed the channel. Raises what `open_channel` raised."""
        if channel.opened is None:
            channel.opened = asyncio.ensure_future(self._open(channel.name))
        opened = channel.opened
        if not opened.done():
            # The task is not awaited directly: others wait for it too, and it must not be cancelled with this caller.
            await asyncio.wait({opened})
        if opened.exception() is not None and channel.opened is opened:
            channel.opened = None
        opened.result()

    def forget_if_empty(self, channel: Channel) -> None:
        if channel.is_empty and self.by_name.get(channel.name) is channel:
            del self.by_name[channel.name]
            if channel.opened is not None:
                shutting = asyncio.ensure_future(self._shut(channel.name, channel.opened))
                self._shutting[channel.name] = shutting
                shutting.add_done_callback(partial(self._has_shut, channel.name))

    async def _open(self, name: str) -> None:
        shutting = self._shutting.get(name)
        if shutting is not None:
            await asyncio.wait({shutting})
        await self._open_channel(name)

    async def _shut(self, name: str, opened: asyncio.Future[None]) -> None:
        await asyncio.wait({opened})
        if opened.exception() is None:
            await self._close_channel(name)

    def _has_shut(self, name: str, shutting: asyncio.Future[None]) -> None:
        if self._shutting.get(name) is shutting:
            del self._shutting[name]
        if not shutting.cancelled() and shutting.exception() is not None:
            log.error("channel %r could not be closed", name, exc_info=shutting.exception())
