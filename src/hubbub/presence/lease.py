"""How long a node that says nothing counts as alive."""

from __future__ import annotations

LEASE_MORE = 2.0
"""Seconds that a lease is longer than the time in which those who vanished are expected back. So a user who comes back
in that time never meets the end of the lease."""
LEASE_LEAST = 5.0


def lease_of(linger: float) -> int:
    """The lease of a node in milliseconds. `linger` is in seconds."""
    return round(1000 * max(linger + LEASE_MORE, LEASE_LEAST))
