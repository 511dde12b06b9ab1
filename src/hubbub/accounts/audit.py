"""The audit log: who did what to whom. A line is written in the transaction of what it tells of, so there is neither
one without the other."""

from __future__ import annotations

import json
import time
from typing import Any

from pydantic import BaseModel

from hubbub.accounts.timed_ids import LATEST, timed_id
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.base import timestamp_of

_ADD = Statement(
    """
    INSERT INTO audit (id, at, actor, action, target, detail) VALUES (:id, :at, :actor, :action, :target, :detail)
    """,
    never_deferred=True,
)
_BEFORE = Statement(
    """
    SELECT id, at, actor, action, target, detail FROM audit WHERE id {by_bytes} < :before
        AND lower(actor) LIKE :actor ESCAPE '!' AND action LIKE :action ESCAPE '!'
    ORDER BY id {by_bytes} DESC LIMIT :number
    """,
    columns=("id", "at", "actor", "action", "target", "detail"),
    never_deferred=True,
)
_FORGET = Statement("DELETE FROM audit WHERE at < :before", never_deferred=True)
CONSOLE = "console"
"""Who acts, if it is the command line."""


class AuditLine(BaseModel):
    id: str
    at: str
    actor: str
    """The key of who did it; `CONSOLE` for the command line."""
    action: str
    target: str
    """What it was done to, such as a user's key; empty if there is nothing."""
    detail: dict[str, Any]


def audit(transaction: Transaction, actor: str, action: str, target: str = "", **detail: Any) -> None:
    """Write a line. It must hold no secret."""
    now = time.time_ns() // 1_000_000
    text = json.dumps(detail, ensure_ascii=False)
    transaction.run(_ADD, id=timed_id(), at=now, actor=actor, action=action, target=target, detail=text)


def audit_lines(
    transaction: Transaction, *, before: str = LATEST, actor: str = "", action: str = "", number: int = 100
) -> list[AuditLine]:
    """The lines before one, the latest first: those of all actors, or of one; of all actions, of one, or, if `action`
    ends with a dot, of all that begin so."""
    exact = {"before": before, "number": number}
    like = {"actor": _pattern(actor.lower()), "action": _pattern(action) + ("%" if action.endswith(".") else "")}
    return [
        AuditLine(id=id, at=timestamp_of(at), actor=actor, action=action, target=target, detail=json.loads(detail))
        for id, at, actor, action, target, detail in transaction.rows(_BEFORE, **exact, **like)
    ]


def forget_old_lines(transaction: Transaction, *, days: int) -> None:
    """Delete the lines that are older. Whoever can make lines could fill the disk otherwise."""
    transaction.run(_FORGET, before=int((time.time() - days * 86_400) * 1000))


def _pattern(text: str) -> str:
    """For LIKE: this very text; any text if it is empty."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_") or "%"
