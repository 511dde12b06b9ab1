"""Holds: a connection is brought up to date from the store, and what is published meanwhile follows.

    with fanout.holding(connection, channel) as hold:
        ...                     # read from the store, and send it
        hold.read_up_to(position)

In the block nothing that is published reaches the connection, so an older row cannot overwrite a newer one. Leaving the
block, also by an error, lets go: what was kept is written, without what the connection was sent up to `read_up_to`, and
the connection is live. Several holds may be on one connection in one channel; the last one that ends lets go.

What an error in the block undoes depends on why the connection is held:

- It reads a page (`Fanout.holding`): nothing is missing, it is live.
- It joins (`Fanout.subscribe_held`): it must not look joined. `Rooms.joining` takes it out of the room again.
- It has missed something (`Fanout.recovering`): it must not go on with a hole. The hold closes the connection.
"""

from __future__ import annotations

from types import TracebackType

from hubbub.delivery.channel import Channel, Gap
from hubbub.delivery.connection import Connection
from hubbub.delivery.deadlines import Deadlines
from hubbub.delivery.flushing import Flushing
from hubbub.delivery.membership import fill, let_go
from hubbub.wire.codes import CloseCode


class Hold:
    """One hold on one connection in one channel. It is in force already when it is made, and ends with its block.

    One without a channel, or on a connection that has left the channel meanwhile, does nothing.
    """

    __slots__ = ("_channel", "_connection", "_deadlines", "_flushing", "_held", "_recovers")

    def __init__(
        self,
        connection: Connection,
        channel: Channel | None,
        *,
        flushing: Flushing,
        deadlines: Deadlines,
        recovers: bool = False,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._held = channel.held.get(connection) if channel is not None else None
        self._flushing = flushing
        self._deadlines = deadlines
        self._recovers = recovers

    def read_up_to(self, position: int) -> None:
        """The connection was sent all up to this position."""
        held = self._held
        if held is not None:
            held.gap = None
            # Of several answers the one that was read first may arrive last, and begin the client anew.
            held.after = position if held.after is None else min(held.after, position)

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._recovers:
            self._connection.close(CloseCode.TRY_AGAIN_LATER, "what was missed cannot be read now")
        channel, connection, held = self._channel, self._connection, self._held
        if channel is None or held is None or channel.held.get(connection) is not held:
            return
        self._flushing.flush(channel)
        if not let_go(channel, connection):
            return
        given = held.after
        if given is not None:
            held.kept = [kept for kept in held.kept if kept.position is None or kept.position > given]
        if self._deadlines.is_congested(connection):
            durable = [kept.since for kept in held.kept if not kept.ephemeral]
            fill(channel, connection, held.gap or (Gap(durable[0]) if durable else None))
            return
        form = connection.format
        for chunk in form.chunks([form.piece(kept) for kept in held.kept]):
            connection.transport.write(chunk)
