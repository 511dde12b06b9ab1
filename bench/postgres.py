"""A PostgreSQL of the bench's own, in a temporary folder, as it is after `initdb`: with fsync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers import Postgres


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database."""
    server = Postgres(fsync="on", full_page_writes="on")
    try:
        server.start()
        yield server.create_database()
    finally:
        server.remove()
