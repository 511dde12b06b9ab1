"""What administrators have set: a row for each setting that differs from the start's."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from hubbub.accounts.access_changes import AccessChange, AccessKind, changed
from hubbub.accounts.audit import audit
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

TABLES = ("CREATE TABLE server_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL, at BIGINT NOT NULL)",)

_ALL = Statement("SELECT name, value FROM server_settings", columns=("name", "value"), never_deferred=True)
_PUT = Statement(
    """
    INSERT INTO server_settings (name, value, at) VALUES (:name, :value, :at)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at
    """,
    never_deferred=True,
)
_REMOVE = Statement("DELETE FROM server_settings WHERE name = :name", never_deferred=True)


def stored_settings(transaction: Transaction) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in transaction.rows(_ALL)}


def store_settings(transaction: Transaction, values: Mapping[str, Any], *, by: str) -> AccessChange:
    """None removes a value. Give the result to `AccessChanges.tell` when this is committed."""
    before = stored_settings(transaction)
    for name, value in values.items():
        if value == before.get(name):
            continue
        if value is None:
            transaction.run(_REMOVE, name=name)
        else:
            text = json.dumps(value, ensure_ascii=False)
            transaction.run(_PUT, name=name, value=text, at=time.time_ns() // 1_000_000)
        audit(transaction, by, "settings.change", name, value=value, was=before.get(name))
    return changed(transaction, AccessKind.SETTINGS, "")
