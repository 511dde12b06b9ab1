"""The users of a batch, as rows of the database.

A row is looked up once, and remembered as long as the database connection lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from hubbub.accounts.users import Address, Move, Person, claim
from hubbub.features.messages import log_sql as sql
from hubbub.store.base import Transaction
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

REMEMBERED = 50_000
"""Entries in a connection's memory, about 10 MB. If there are more, it is emptied."""


def people_of(transaction: Transaction, users: Sequence[User]) -> list[Person]:
    """The rows of these users, in their order, with the names that they have now. Missing rows are added.

    A guest whose key belongs to somebody else by now has another key in the row. The caller tells the guest.
    """
    addresses = [(fold(user.key), user.identity) for user in users]
    known = remembered(transaction, "people")
    missing = {address: user for address, user in zip(addresses, users, strict=True) if address not in known}
    if missing:
        claimed, moves = claim(transaction, missing)
        for move in moves:
            _show_new_key(transaction, move, known)
        known |= claimed
    people: list[Person] = [known[address] for address in addresses]
    renamed: dict[int, str] = {}
    for person, user in zip(people, users, strict=True):
        if person.name != user.name:
            person.name = renamed[person.id] = user.name
    if renamed:
        transaction.run(sql.RENAME_USERS, renamed=sorted(renamed.items()))
    return people


def claim_keys(transaction: Transaction, accounts: Sequence[User]) -> list[None]:
    """An operation for `Database.submit`: an account owns its key as soon as it connects."""
    people_of(transaction, accounts)
    return [None] * len(accounts)


def remembered(transaction: Transaction, what: str) -> dict[Any, Any]:
    """A part of the connection's memory."""
    memory = transaction.memory.setdefault(what, {})
    if len(memory) > REMEMBERED:
        memory.clear()
    found: dict[Any, Any] = memory
    return found


def _show_new_key(transaction: Transaction, move: Move, known: dict[Address, Person]) -> None:
    """Messages keep their reactions as the wire has them, with the users' keys."""
    known[move.was, move.person.identity] = move.person
    shown = []
    for room_id, seq, reactions in transaction.rows(sql.REACTED_TO, user_id=move.person.id):
        given = from_json(reactions)
        for reaction in given:
            reaction["users"] = [move.person.key if fold(key) == move.was else key for key in reaction["users"]]
        shown.append((room_id, seq, to_json(given).decode()))
    if shown:
        transaction.run(sql.SHOW_REACTIONS, shown=shown)
