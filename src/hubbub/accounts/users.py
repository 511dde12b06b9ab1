"""The table of users: which identity a key belongs to.

A key has one owner for ever: the first identity that does something durable under it, or the account that connects
with it. A constraint of the database (`UNIQUE (folded)`) ensures it, so neither a race nor another node can make a
second owner. A guest who comes too late gets a made key instead, and loses nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from hubbub.errors import Unavailable
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.keys import KEY_LENGTH, fold

Address = tuple[str, str]
"""A folded key and an identity, which is empty for an account. No two people have the same address."""

_MADE_KEY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_MADE = 4
"""Characters at the end of a made key."""
_ATTEMPTS = 10

_COLUMNS = ("id", "key", "folded", "identity", "name")
# Rows of users are never deferred.
_Statement = partial(Statement, never_deferred=True)
_OF_KEYS = _Statement(
    """
    SELECT users.id, users.key, users.folded, users.identity, users.name
    FROM {wanted} AS wanted JOIN users ON users.folded = wanted.folded
    """,
    columns=_COLUMNS,
    tables={"wanted": {"folded": str}},
)
_OF_GUESTS = _Statement(
    """
    SELECT users.id, users.key, users.folded, users.identity, users.name
    FROM {wanted} AS wanted JOIN users ON users.identity = wanted.identity AND users.identity <> ''
    """,
    columns=_COLUMNS,
    tables={"wanted": {"identity": str}},
)
_KEYS_AFTER = _Statement(
    "SELECT id, folded FROM users WHERE id > :id ORDER BY id LIMIT :limit",
    columns=("id", "folded"),
)
_LOCK_GUESTS = _Statement(
    """
    SELECT id, key, folded, identity, name FROM users
    WHERE folded IN (SELECT folded FROM {wanted} AS wanted) AND identity <> '' ORDER BY id {for_update}
    """,
    columns=_COLUMNS,
    tables={"wanted": {"folded": str}},
)
# In one order everywhere, so that two nodes which meet the same newcomers do not wait for each other in a circle.
_ADD = _Statement(
    """
    INSERT INTO users (key, folded, identity, name)
    SELECT key, folded, identity, name FROM {added} AS added WHERE true ORDER BY folded, identity
    ON CONFLICT DO NOTHING
    """,
    tables={"added": {"key": str, "folded": str, "identity": str, "name": str}},
)
_GIVE_OTHER_KEYS = _Statement(
    """
    UPDATE users SET key = moved.key, folded = moved.folded
    FROM {moved} AS moved WHERE users.id = moved.id
    """,
    tables={"moved": {"id": int, "key": str, "folded": str}},
)


class Named(Protocol):
    """The values of a new row."""

    @property
    def key(self) -> str: ...

    @property
    def name(self) -> str: ...


@dataclass(slots=True)
class Person:
    """A row of the table."""

    id: int
    key: str
    folded: str
    identity: str
    name: str


@dataclass(frozen=True, slots=True)
class Move:
    """A guest's row has made way for an account's."""

    person: Person
    """As it is now."""
    was: str
    """Its folded key until now."""


def made_key(beginning: str) -> str:
    """A key that nobody has chosen: `alice-x7k2` for `alice`. Whether it is free is for the caller to find out."""
    made = "".join(secrets.choice(_MADE_KEY_ALPHABET) for _ in range(_MADE))
    return f"{beginning[: KEY_LENGTH - _MADE - 1]}-{made}"


def is_made_of(key: str, beginning: str) -> bool:
    """Whether `made_key(beginning)` may have given `key`."""
    return fold(key[: -_MADE - 1]) == fold(beginning[: KEY_LENGTH - _MADE - 1]) and key[-_MADE - 1 : -_MADE] == "-"


def owners_of_keys(transaction: Transaction, folded: Iterable[str]) -> dict[str, Person]:
    """The owners of these keys, by folded key. Keys without an owner are left out."""
    wanted = [(one,) for one in folded]
    people = [Person(*row) for row in transaction.rows(_OF_KEYS, wanted=wanted)] if wanted else []
    return {person.folded: person for person in people}


def keys_after(transaction: Transaction, id: int, limit: int) -> list[tuple[int, str]]:
    """The next folded keys after a row, with their rows' ids."""
    return [(row, folded) for row, folded in transaction.rows(_KEYS_AFTER, id=id, limit=limit)]


def known_guests(transaction: Transaction, identities: Iterable[str]) -> dict[str, Person]:
    """The rows of guests, by identity; who has said nothing yet has none."""
    wanted = [(one,) for one in identities]
    people = [Person(*row) for row in transaction.rows(_OF_GUESTS, wanted=wanted)] if wanted else []
    return {person.identity: person for person in people}


def claim(transaction: Transaction, wanted: Mapping[Address, Named]) -> tuple[dict[Address, Person], list[Move]]:
    """The rows of these people, by their addresses. People without a row get one now, in this order.

    A guest has the key in its row, which may differ from the key that it came with. A guest whose key belongs to
    another identity gets a made key. An account always gets its own key: the guest who had it gets a made one, and is
    among the returned moves. For a writer's transaction. Raises `Unavailable` if other nodes take the same keys again
    and again.
    """
    people: dict[Address, Person] = {}
    moves: list[Move] = []
    for _ in range(_ATTEMPTS):
        left = {address: named for address, named in wanted.items() if address not in people}
        people |= _stored(transaction, left)
        left = {address: named for address, named in left.items() if address not in people}
        if not left:
            return people, moves
        moves += _add(transaction, left)
    raise Unavailable("others take the same keys at this moment", retry_after=1000)


def _stored(transaction: Transaction, addresses: Iterable[Address]) -> dict[Address, Person]:
    addresses = list(addresses)
    accounts = owners_of_keys(transaction, sorted({folded for folded, identity in addresses if not identity}))
    guests = known_guests(transaction, sorted({identity for _, identity in addresses if identity}))
    found: dict[Address, Person] = {}
    for folded, identity in addresses:
        person = guests.get(identity) if identity else accounts.get(folded)
        if person is not None and person.identity == identity:
            found[folded, identity] = person
    return found


def _add(transaction: Transaction, wanted: Mapping[Address, Named]) -> list[Move]:
    """Make rows. Who is not there afterwards was too late, and may try again."""
    moves = _make_way(transaction, [folded for folded, identity in wanted if not identity])
    taken = set(owners_of_keys(transaction, sorted({folded for folded, _ in wanted})))
    taken |= {folded for folded, identity in wanted if not identity}
    keys: dict[Address, str] = {}
    late: list[Address] = []
    for folded, identity in wanted:
        if not identity or folded not in taken:
            taken.add(folded)
            keys[folded, identity] = wanted[folded, identity].key
        else:
            late.append((folded, identity))
    keys |= zip(late, _free_keys(transaction, [wanted[address].key for address in late]), strict=True)
    added = [(key, fold(key), address[1], wanted[address].name) for address, key in keys.items()]
    transaction.run(_ADD, added=added)
    return moves


def _make_way(transaction: Transaction, accounts: Sequence[str]) -> list[Move]:
    """Give other keys to the guests who have these accounts' keys."""
    if not accounts:
        return []
    guests = [Person(*row) for row in transaction.rows(_LOCK_GUESTS, wanted=[(folded,) for folded in sorted(accounts)])]
    keys = _free_keys(transaction, [guest.key for guest in guests])
    moves = [
        Move(Person(guest.id, key, fold(key), guest.identity, guest.name), guest.folded)
        for guest, key in zip(guests, keys, strict=True)
    ]
    if moves:
        rows = [(move.person.id, move.person.key, move.person.folded) for move in moves]
        transaction.run(_GIVE_OTHER_KEYS, moved=sorted(rows))
    return moves


def _free_keys(transaction: Transaction, beginnings: Sequence[str]) -> list[str]:
    """A made key for each of these, different ones, that nobody has."""
    keys: dict[str, str] = {}
    for beginning in beginnings:
        key = made_key(beginning)
        while fold(key) in keys or owners_of_keys(transaction, [fold(key)]):
            key = made_key(beginning)
        keys[fold(key)] = key
    return list(keys.values())
