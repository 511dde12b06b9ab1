"""The port for limits that hold for all nodes together: how many connections somebody has, and how much they ask for.

Whatever is limited has a name, such as `address 192.0.2.1`. The port knows no addresses, users or requests.

While the other nodes cannot be asked, each node holds its own limits only, at once: nobody waits longer than `DEADLINE`
for an answer.
"""

from __future__ import annotations

from typing import Protocol

from hubbub.limits import Allowance

DEADLINE = 0.25
"""The most seconds that anybody waits for what the other nodes know."""


class SharedLimits(Protocol):
    """Six verbs and two states. Use it in one event loop, between `start` and `stop`."""

    reaches_others: bool
    """Whether there can be other nodes. If not, no verb ever waits."""

    @property
    def problem(self) -> str | None:
        """Why this node holds limits of its own now, in words without a password; None if all is well."""

    async def start(self) -> None:
        """Raises `ConfigurationError` if a person must change something. Does not wait for what is away."""

    async def stop(self) -> None:
        """What this node has counted counts no longer for the others."""

    async def enter(self, name: str, most: int) -> bool:
        """Count one more under this name. False, and nothing is counted, if `most` are counted already.

        Each call that gave True must be followed by one `leave`. If this node dies, what it has counted is forgotten
        within 15 s.
        """

    def leave(self, name: str) -> None:
        """Undo one `enter`."""

    async def take(self, name: str, size: float = 1.0, allowance: Allowance | None = None) -> float:
        """Take so much of the rate that a name may have: the usual one, or `allowance`, which must always be the same
        for a name. Returns 0.0 if it was not used up. Otherwise it takes nothing, and returns the seconds until it may
        be asked again."""

    def charge(self, name: str, size: float, allowance: Allowance | None = None) -> None:
        """Count what was done under this name, whether or not the rate allows it: what is taken later has to wait. A
        negative size gives back what was taken."""
