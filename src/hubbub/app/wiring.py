"""Chooses by the settings the database engine, and what nodes share through Redis. Only this module names concrete
ones."""

from __future__ import annotations

from dataclasses import dataclass

from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.errors import ConfigurationError
from hubbub.limits import Allowance
from hubbub.presence.base import Names, Presence
from hubbub.presence.local import LocalPresence
from hubbub.settings import Settings
from hubbub.shared_limits.base import SharedLimits
from hubbub.shared_limits.local import LocalLimits
from hubbub.store.base import Engine

NO_DATABASE = "none"


def stores_something(settings: Settings) -> bool:
    """Whether `choose_engine` gives an engine."""
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    return url != NO_DATABASE and not (url is None and settings.data_dir is None)


def choose_engine(settings: Settings) -> Engine | None:
    """The engine for `database_url`, SQLite in the data directory without one; None to store nothing.

    Raises `ConfigurationError` for an address that is neither, or if what the engine needs is not installed.
    """
    if not stores_something(settings):
        return None
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    try:
        # Imported here: a server that stores nothing needs none of a database's packages.
        from hubbub.store.engines import engine_at

        return engine_at(settings.data_dir, url, timeout=settings.database_timeout)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, which the database needs: "
            f"pip install 'hubbub[{'server,postgres' if url else 'server'}]'"
        ) from None


@dataclass(frozen=True, slots=True)
class Shared:
    """What the nodes of a cluster share beside the database."""

    broker: Broker
    presence: Presence
    names: Names | None
    """None if there are no other nodes."""
    limits: SharedLimits


def choose_shared(settings: Settings) -> Shared:
    """What all nodes share that have the same `broker_url`; without one, what a single node needs.

    Raises `ConfigurationError` for an address that cannot be one, or if what the broker needs is not installed.
    """
    requests = Allowance(settings.request_rate, settings.request_burst)
    if settings.broker_url is None:
        return Shared(MemoryBroker(), LocalPresence(), None, LocalLimits(requests))
    # Imported here: a single node needs no package for Redis.
    from hubbub.broker.redis import RedisBroker
    from hubbub.broker.redis_address import parse_addresses
    from hubbub.presence.redis import RedisPresence
    from hubbub.presence.redis_names import RedisNames
    from hubbub.shared_limits.redis import RedisLimits

    addresses = parse_addresses(settings.broker_url.get_secret_value())
    namespace, timeout, linger = settings.broker_namespace, settings.broker_timeout, settings.linger
    return Shared(
        RedisBroker(addresses, namespace=namespace, timeout=timeout),
        RedisPresence(addresses, linger=linger, namespace=namespace, timeout=timeout),
        # One server has all names: a guest claims a name and a key, together or not at all.
        RedisNames(addresses[0], linger=linger, namespace=namespace, timeout=timeout),
        RedisLimits(addresses, requests, namespace=namespace, timeout=timeout),
    )
