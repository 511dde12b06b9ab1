"""Rooms with more members than anybody may invite in an hour."""

from hubbub import Hubbub
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

_ADD_USERS = Statement(
    "INSERT INTO users (folded, key, name, identity) SELECT key, key, name, '' FROM {people} AS people WHERE true",
    tables={"people": {"key": str, "name": str}},
    never_deferred=True,
)
_ADD_MEMBERS = Statement(
    """
    INSERT INTO room_people (room_id, user_id, role, muted, banned, spoke)
    SELECT rooms.id, users.id, 'member', 0, 0, 0 FROM {people} AS people
    JOIN users ON users.folded = people.key JOIN rooms ON rooms.folded = :room WHERE true
    """,
    tables={"people": {"key": str}},
    never_deferred=True,
)


async def fill(hub: Hubbub, room: str, number: int) -> None:
    """Stores `u0`, `u1` and so on as members, called `Person 0000`, `Person 0001`."""

    def add(transaction: Transaction) -> None:
        transaction.run(_ADD_USERS, people=[(f"u{one}", f"Person {one:04d}") for one in range(number)])
        transaction.run(_ADD_MEMBERS, people=[(f"u{one}",) for one in range(number)], room=room)

    assert hub.node.database is not None
    await hub.node.database.transact(add)
