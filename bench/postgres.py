"""A PostgreSQL of the bench's own, in a temporary folder, as it is after `initdb`: with fsync, on the servers' core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import procfs
from bench.cores import on_its_core
from tests.servers import MissingError, Postgres, find_postgres_programs


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    """The address of an empty database."""
    process: Postgres

    def cpu_seconds(self) -> float:
        return procfs.cpu_seconds(self.process.pid)

    def last_words(self) -> str:
        return self.process.log[-2000:]


def missing() -> str | None:
    """Why this machine cannot run it, or None."""
    try:
        find_postgres_programs()
    except MissingError as error:
        return str(error)
    return None


@contextmanager
def postgres() -> Iterator[Database]:
    server = Postgres(fsync="on", full_page_writes="on")
    server.command = on_its_core(server.command)
    try:
        server.start()
        yield Database(server.create_database(), server)
    finally:
        server.remove()
