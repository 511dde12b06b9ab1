"""Holds: a connection first gets what was read from the store, and then what was published meanwhile.

    with fanout.holding(connection, channel) as hold:
        ...                     # read from the store, and send it
        hold.read_up_to(position)

In the block, nothing that is published reaches the connection, so an older row cannot overwrite a newer one. At the end
of the block, also after an error, what was kept is written, except for positions up to `read_up_to`, which the
connection has. Then it is live. Several holds may be on one connection in one channel; all this is done when the last
one ends.

What an error in the block undoes depends on why the connection is held:

- It reads a page (`Fanout.holding`): nothing is missing, it is live.
- It joins (`Fanout.subscribe_held`): it must not look joined. `Rooms.joining` takes it out of the room again.
- It has missed something (`Fanout.recovering`): it must not continue with a hole. The hold closes the connection.
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
    """One hold on one connection in one channel, from the moment when it is made until the end of its block.

    Without a channel, or if the connection has left the channel meanwhile, it does nothing.
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
        """The connection was sent everything up to this position."""
        held = self._held
        if held is not None:
            held.gap = None
            # With several holds, the page that was read first may arrive last, and make the client start over from
            # there.
            held.after = position if held.after is None else min(held.after, position)

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._recovers:
            self._connection.close(CloseCode.TRY_AGAIN_LATER, "the missed events cannot be read now")
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
