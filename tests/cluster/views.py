"""What people were shown, whatever way it came."""

import asyncio
from typing import Any

from tests.people import DEADLINE, Person


async def shown(somebody: Person, **fields: Any) -> dict[str, Any]:
    """The first message, as sent or as changed, with these fields."""
    async with asyncio.timeout(DEADLINE):
        while True:
            for row in _rows(somebody):
                if row.items() >= fields.items():
                    return row
            await somebody.next()


async def messages(somebody: Person, number: int) -> list[dict[str, Any]]:
    """What somebody was sent, in its order, once it is so much."""
    async with asyncio.timeout(DEADLINE):
        while len(found := _rows(somebody)) < number:
            await somebody.next()
    return found


def _rows(somebody: Person) -> list[dict[str, Any]]:
    """A publication that is late on a busy machine is read from the store, and comes as `sync`. If the client is late
    too, the same rows may come twice, for it and for the room. Of a `sync`, rows that it has already do not count."""
    found: list[dict[str, Any]] = []
    revs: dict[tuple[str, int], int] = {}
    for event in somebody.seen:
        rows = {"message": [event], "changed": [event], "sync": event.get("messages", [])}.get(event["type"], [])
        for row in rows:
            place = event["room"], row["seq"]
            if event["type"] != "sync" or row["rev"] > revs.get(place, 0):
                revs[place] = row["rev"]
                found.append(row)
    return [{name: value for name, value in row.items() if name != "type"} for row in found]
