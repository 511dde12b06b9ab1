"""The nodes of a system, and behind them Redis and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.postgres import Database, postgres
from bench.server import Group, Server, running
from bench.systems.base import System
from bench.systems.redis import Redis


@dataclass(frozen=True, slots=True)
class Engines:
    """What the nodes of a system need: Redis if there are several, PostgreSQL if it stores messages there."""

    system: System
    redis: Server | None
    database: Database | None

    @contextmanager
    def nodes(self) -> Iterator[tuple[list[Server], Group]]:
        """Fresh nodes; and all that is under load with them."""
        environment: dict[str, str] = {}
        if self.redis is not None:
            url = f"redis://127.0.0.1:{self.redis.port}"
            environment |= {"REDIS_URL": url, "HUBBUB_BROKER_URL": url}
        if self.database is not None:
            environment |= {"DATABASE_URL": self.database.url, "HUBBUB_DATABASE_URL": self.database.url}
        with ExitStack() as stack:
            nodes = [stack.enter_context(running(self.system, environment)) for _ in range(self.system.nodes)]
            behind = [engine for engine in (self.redis, self.database) if engine is not None]
            yield nodes, Group(self.system, [*nodes, *behind])


@contextmanager
def engines(system: System) -> Iterator[Engines]:
    with ExitStack() as stack:
        redis = stack.enter_context(running(Redis())) if system.nodes > 1 else None
        database = stack.enter_context(postgres()) if system.needs_postgres else None
        yield Engines(system, redis, database)
