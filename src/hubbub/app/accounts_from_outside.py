"""Does what the command line wants done with accounts: by itself, or by the server that has the data directory."""

from __future__ import annotations

import time
from typing import Any

from hubbub.accounts.access_changes import AccessChanges
from hubbub.accounts.revocations import Revocations
from hubbub.accounts.sessions import end_all_sessions
from hubbub.app.wiring import choose_engine
from hubbub.broker.memory import MemoryBroker
from hubbub.errors import ConfigurationError
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.console import Order, ask, perform
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.settings import Settings
from hubbub.store.database import Database
from hubbub.store.directory import InUseError
from hubbub.store.feature_tables import Tables, bring_up_to_date


async def perform_order(settings: Settings, order: Order) -> list[dict[str, Any]]:
    """The accounts that it is about. Raises what refuses it, `ConfigurationError`, and `Unavailable`."""
    engine = choose_engine(settings)
    if engine is None:
        raise ConfigurationError("HUBBUB_DATABASE_URL is `none`: without a database there are no accounts")
    database = Database(engine, readers=1, timeout=settings.database_timeout)
    try:
        await database.start()
    except InUseError:
        assert settings.data_dir is not None
        return await ask(settings.data_dir, order)
    try:
        features = (AccessFeature, AccountsFeature)
        await bring_up_to_date(database, [Tables(feature.name, feature.scripts) for feature in features])
        # The nodes of a database read there who was revoked.
        changes = AccessChanges(MemoryBroker(), shared=None, clock=time.monotonic)
        revocations = Revocations(changes, database, clock=time.time)
        revocations.also(end_all_sessions)
        accounts, _ = await database.transact(lambda transaction: perform(transaction, order, revocations))
        return accounts
    finally:
        await database.stop()
