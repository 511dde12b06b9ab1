"""Which engine a server uses: PostgreSQL where an address is given, else SQLite in the data directory."""

from __future__ import annotations

from pathlib import Path

from hubbub.errors import ConfigurationError
from hubbub.store.base import Engine
from hubbub.store.sqlite import SQLite


def engine_at(data_dir: Path, url: str | None = None) -> Engine:
    """The engine for a data directory or a `postgresql://` address. Raises `ConfigurationError` for another address."""
    if not url:
        return SQLite(data_dir)
    scheme = url.partition("://")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise ConfigurationError(f"a database's address begins with postgresql://, not {scheme[:20]}://")
    from hubbub.store.postgres import Postgres

    return Postgres(url)
