"""Chooses the database engine and the broker by the settings. Only this module names concrete ones."""

from __future__ import annotations

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


def choose_engine(settings: Settings) -> Engine | None:
    """The engine for `database_url`, SQLite in the data directory without one; None to store nothing.

    Raises `ConfigurationError` for an address that is neither, or if what the engine needs is not installed.
    """
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    if url == NO_DATABASE or (url is None and settings.data_dir is None):
        return None
    try:
        # Imported here: a server that stores nothing needs none of a database's packages.
        from hubbub.store.engines import engine_at

        return engine_at(settings.data_dir, url, timeout=settings.database_timeout)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, which the database needs: "
            f"pip install 'hubbub[{'server,postgres' if url else 'server'}]'"
        ) from None


def choose_broker(settings: Settings) -> Broker:
    """The broker for `broker_url`; without one, that of a single node.

    Raises `ConfigurationError` for an address that cannot be one, or if what the broker needs is not installed.
    """
    if settings.broker_url is None:
        return MemoryBroker()
    from hubbub.broker.redis import RedisBroker
    from hubbub.broker.redis_address import parse_addresses

    addresses = parse_addresses(settings.broker_url.get_secret_value())
    return RedisBroker(addresses, namespace=settings.broker_namespace, timeout=settings.broker_timeout)


def choose_presence(settings: Settings) -> Presence:
    """What all nodes that share `broker_url` have; without one, what this node has. Raises as `choose_broker` does."""
    if settings.broker_url is None:
        return LocalPresence()
    from hubbub.broker.redis_address import parse_addresses
    from hubbub.presence.redis import RedisPresence

    return RedisPresence(
        parse_addresses(settings.broker_url.get_secret_value()),
        linger=settings.linger,
        namespace=settings.broker_namespace,
        timeout=settings.broker_timeout,
    )


def choose_names(settings: Settings) -> Names | None:
    """The guests' names on all nodes that share `broker_url`; None without one. Raises as `choose_broker` does."""
    if settings.broker_url is None:
        return None
    from hubbub.broker.redis_address import parse_addresses
    from hubbub.presence.redis_names import RedisNames

    # One server has all names: a guest claims a name and a key, together or not at all.
    return RedisNames(
        parse_addresses(settings.broker_url.get_secret_value())[0],
        linger=settings.linger,
        namespace=settings.broker_namespace,
        timeout=settings.broker_timeout,
    )


def choose_limits(settings: Settings) -> SharedLimits:
    """The limits of all nodes that share `broker_url`; without one, those of this node. Raises as `choose_broker`
    does."""
    requests = Allowance(settings.request_rate, settings.request_burst)
    if settings.broker_url is None:
        return LocalLimits(requests)
    from hubbub.broker.redis_address import parse_addresses
    from hubbub.shared_limits.redis import RedisLimits

    return RedisLimits(
        parse_addresses(settings.broker_url.get_secret_value()),
        requests,
        namespace=settings.broker_namespace,
        timeout=settings.broker_timeout,
    )
