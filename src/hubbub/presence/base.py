"""The presence port: each node says whom it has in which channel, and hears what all nodes have together.

A user counts once, however many nodes have them. What is told of a channel (`Audience`) is told to each node that has
somebody there, and to no other; each of them passes it on to its own connections. So nobody announces for others, and
what a node's connections are told always leads to what `crowd` shows there.
"""

from __future__ import annotations

from typing import Protocol

from hubbub.presence.crowd import Crowd
from hubbub.wire.identity import User


class Audience(Protocol):
    """Who wants to hear of changes. Each call comes after the change, in order, and must not raise."""

    def came(self, channel: str, user: User, online: int) -> None:
        """Somebody is in a channel who was on no node before."""

    def went(self, channel: str, user: User, online: int) -> None:
        """Somebody is on no node any more."""

    def counted(self, channel: str) -> None:
        """Where many are: there are more or fewer of them."""


class Presence(Protocol):
    """Six verbs. A presence belongs to one event loop, between `start` and `stop`."""

    async def start(self, audience: Audience) -> None:
        """Begin to tell the other nodes, and to hear of them. Does not wait for what is away."""

    async def stop(self) -> None:
        """Let go of everything. Whom this node still has are kept for them for a while: they may be coming back."""

    def enter(self, channel: str, user: User) -> None:
        """This node has somebody in a channel from now on; or they are shown in another way than before."""

    def exit(self, channel: str, user: User) -> None:
        """This node has them there no longer. Not for those who are still expected back."""

    def crowd(self, channel: str) -> Crowd | None:
        """Whom all nodes have in a channel. None if this node has nobody there and so does not know."""

    async def look(self, channel: str) -> Crowd:
        """Whom all nodes have in a channel. If this node has somebody there, `crowd` shows all whom it has entered by
        then; while the others cannot be asked, it returns what is known here.

        Raises `Unavailable` if this node has nobody there, and the others cannot be asked.
        """
