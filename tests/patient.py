"""`hubbub`, but it waits longer for Redis and for other nodes before it decides alone.

On a busy machine a Redis that is well may be late. Then a node goes by what it knows itself, as it should, and all
nodes together may admit more than their limit. So a test of what nodes know of each other has patient nodes: with the
fixture `patience` in the test's own process, and with `patient_server` in others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name

PATIENCE = 60.0
DEADLINES = [
    ("hubbub.accounts.access_changes", "BEHIND"),
    ("hubbub.broker.counting", "ANSWERS_WITHIN"),
    ("hubbub.presence.redis_names", "DEADLINE"),
    ("hubbub.shared_limits.redis", "DEADLINE"),
]
LEASES = [("hubbub.presence.lease", "LEASE_LEAST"), ("hubbub.shared_limits.redis", "LEASE")]
"""While one node of a process is made, the others in it renew nothing, and on a busy machine that takes seconds."""


class Patience:
    """Of the nodes in this process, from `begin` to `end`."""

    def __init__(self, limits: list[tuple[str, str]]) -> None:
        self._limits = [(resolve_name(module), name) for module, name in limits]
        self._usual = [getattr(module, name) for module, name in self._limits]

    def begin(self) -> None:
        for module, name in self._limits:
            setattr(module, name, PATIENCE)

    def end(self) -> None:
        for (module, name), seconds in zip(self._limits, self._usual, strict=True):
            setattr(module, name, seconds)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Meanwhile nodes decide as soon as they usually do."""
        self.end()
        try:
            yield
        finally:
            self.begin()


if __name__ == "__main__":
    Patience(DEADLINES).begin()
    resolve_name("hubbub.cli:main")()
