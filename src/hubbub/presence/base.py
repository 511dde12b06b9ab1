"""The presence port: each node says whom it has in which channel, and hears what all nodes have together.

A user counts once, however many nodes have them. What is told of a channel (`Audience`) is told to each node that has
somebody there, and to no other; each of them passes it on to its own connections. So nobody announces for others, and
what a node's connections are told always leads to what `crowd` shows there.

`Lists` is a second, smaller port: who is where, page by page. `Names` is a third: which names are in use on all nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hubbub.presence.crowd import Crowd
from hubbub.wire.identity import User

MADE = "made:"
"""The fingerprint of a secret that a node has made for itself begins with it."""


class Audience(Protocol):
    """Is told of changes. Each method is called after the change, in order, and must not raise."""

    def user_joined(self, channel: str, user: User, online: int) -> None:
        """Somebody is in a channel who was on no node before."""

    def look_changed(self, channel: str, user: User, online: int) -> None:
        """Somebody who is there has another name or colour now."""

    def user_left(self, channel: str, user: User, online: int) -> None:
        """Somebody is on no node any more."""

    def count_changed(self, channel: str) -> None:
        """The number of people has changed in a channel that has many."""


class Lists(Protocol):
    """What all nodes have, in a fixed order. A page begins after the last item of the page before it, so it costs as
    little as the first one, and people who come and go meanwhile move nobody else."""

    async def channels(self, after: str, most: int) -> list[str]:
        """The first `most` channels after this one that have somebody. While the others cannot be asked, those of this
        node."""

    async def counts(self, channels: Sequence[str]) -> list[int | None]:
        """How many people are in each of these channels; None while that cannot be asked."""

    async def places(self, channel: str, after: str, most: int) -> list[str]:
        """The first `most` places in a channel after this one, by name (`Crowd.place`). Raises `Unavailable`."""

    async def users(self, channel: str, places: Sequence[str]) -> list[User]:
        """Who is at these places, without those who have gone since. Raises `Unavailable`."""


class Presence(Protocol):
    """Six verbs and a state. A presence belongs to one event loop, between `start` and `stop`."""

    @property
    def lists(self) -> Lists: ...

    async def start(self, audience: Audience) -> None:
        """Begin to tell the other nodes, and to hear of them. Does not wait for a server that is away."""

    async def stop(self) -> None:
        """Disconnect. The people of this node stay present for the other nodes for a while: they may come back."""

    def enter(self, channel: str, user: User) -> None:
        """This node has somebody in a channel from now on, or what is shown of them has changed."""

    def exit(self, channel: str, user: User) -> None:
        """This node has them there no longer. Do not call it for somebody who is still expected back."""

    def crowd(self, channel: str) -> Crowd | None:
        """Whom all nodes have in a channel. None if this node has nobody there and so does not know."""

    async def ask(self, channel: str) -> Crowd:
        """Whom all nodes have in a channel, with everybody whom this node has entered there before the call. While the
        others cannot be asked, the people that this node knows.

        Raises `Unavailable` if this node has nobody there, and the others cannot be asked.
        """

    @property
    def problem(self) -> str | None:
        """Why this node and the others do not know of each other's people now, in words without a password; None if
        all is well."""


class Names(Protocol):
    """Words that have one owner. It knows no guests. Use it in one event loop, between `start` and `stop`."""

    async def start(self, fingerprints: Sequence[str]) -> None:
        """`fingerprints` are of the secrets that this node believes, the one that it signs with first. Empty if the
        nodes have compared them already. Does not wait for what is away.

        Raises `ConfigurationError` if a person must change something, as when other nodes sign with a secret that this
        one does not believe.
        """

    async def stop(self) -> None:
        """What this node still holds is kept for a while: the owners may be coming back."""

    async def claim(self, owner: str, needed: Sequence[str], shared: Sequence[str] = ()) -> bool:
        """Claim all these words, or none: False if somebody else holds one of the `needed` ones on another node. The
        `shared` ones are claimed beside whoever holds them. True also if the other nodes cannot be asked in time.

        Each claim that succeeds must be followed by one `release` of the same words. An owner may claim a word on
        several nodes, and several times.
        """

    def release(self, owner: str, words: Sequence[str]) -> None:
        """Undo one claim."""

    @property
    def problem(self) -> str | None:
        """Why this node and the others do not know of each other's names now, in words without a password; None if all
        is well."""
