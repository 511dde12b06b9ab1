"""The people of a batch: who writes, reacts or connects, as rows of the database.

What is found is remembered for as long as the connection lives: a person's row is looked up once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from hubbub.accounts.users import Address, Move, Person, claim
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Author
from hubbub.store.base import Transaction
from hubbub.wire.keys import fold

REMEMBERED = 50_000
"""Entries in a connection's memory before it begins anew: about 10 MB."""


def people_of(transaction: Transaction, authors: Sequence[Author]) -> dict[Address, Person]:
    """Their rows, by address, under the names that they have now. New people come to be.

    Whose key belongs to somebody else by now has another one in its row, and is told so by the caller.
    """
    wanted = {author.address: author for author in authors}
    known = remembered(transaction, "people")
    people = {address: known[address] for address in wanted if address in known}
    missing = {address: author for address, author in wanted.items() if address not in people}
    if missing:
        claimed, moves = claim(transaction, missing)
        for move in moves:
            _show_new_key(transaction, move, known)
        people |= claimed
        known |= claimed
    renamed = []
    for address, author in wanted.items():
        person = people[address]
        if person.name != author.name:
            person.name = author.name
            renamed.append((person.id, author.name))
    if renamed:
        transaction.run(sql.RENAME_USERS, renamed=sorted(renamed))
    return people


def claim_keys(transaction: Transaction, accounts: Sequence[Author]) -> list[None]:
    """An operation for `Database.write`: an account owns its key from its first connection on."""
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
    """Reactions are kept as the wire has them, with their users' keys."""
    known[move.was, move.person.identity] = move.person
    shown = []
    for room_id, seq, reactions in transaction.rows(sql.REACTED_TO, user_id=move.person.id):
        given = from_json(reactions)
        for reaction in given:
            reaction["users"] = [move.person.key if fold(key) == move.was else key for key in reaction["users"]]
        shown.append((room_id, seq, to_json(given).decode()))
    if shown:
        transaction.run(sql.SHOW_REACTIONS, shown=shown)
