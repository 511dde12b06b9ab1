"""Which engine a server uses: PostgreSQL if an address is given, otherwise SQLite in the data directory."""

from __future__ import annotations

from pathlib import Path

from hubbub.errors import ConfigurationError
from hubbub.store.base import TIMEOUT, Engine
from hubbub.store.sqlite import SQLite


def engine_at(data_dir: Path | None, url: str | None = None, *, timeout: float = TIMEOUT) -> Engine:
    """The engine for a `postgresql://` address, or without one for a data directory. `timeout` is how many seconds a
    change or a read waits for PostgreSQL.

    Raises `ConfigurationError` for any other address, or if neither is given.
    """
    if not url:
        if data_dir is None:
            raise ConfigurationError("a database needs HUBBUB_DATA_DIR or HUBBUB_DATABASE_URL")
        return SQLite(data_dir)
    scheme = url.partition("://")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise ConfigurationError(f"a database's address begins with postgresql://, not {scheme[:20]}://")
    from hubbub.store.postgres import Postgres

    return Postgres(url, timeout=timeout)
