"""Which database the settings ask for."""

from __future__ import annotations

from hubbub.errors import ConfigurationError
from hubbub.settings import Settings
from hubbub.store.base import Engine

NO_DATABASE = "none"


def choose_engine(settings: Settings) -> Engine | None:
    """The engine that `database_url` names, SQLite in the data directory by default, None to store nothing.

    Raises `ConfigurationError` for an address that is neither, or if what the engine needs is not installed.
    """
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    if url == NO_DATABASE or (url is None and settings.data_dir is None):
        return None
    try:
        if url is None:
            assert settings.data_dir is not None
            from hubbub.store.sqlite import SQLite

            return SQLite(settings.data_dir)
        if url.startswith(("postgresql://", "postgres://")):
            from hubbub.store.postgres import Postgres

            return Postgres(url)
    except ModuleNotFoundError as error:
        extra = "postgres" if url else "server"
        raise ConfigurationError(
            f"{error.name} is not installed, which the database needs: pip install 'hubbub[server,{extra}]'"
        ) from None
    raise ConfigurationError(
        "database_url must be postgresql://…, or `none`; leave it out for SQLite in the data directory"
    )
