"""What people were shown, whatever way it came."""

import asyncio
from typing import Any

from tests.people import DEADLINE, Person


async def messages(somebody: Person, number: int) -> list[dict[str, Any]]:
    """What somebody was sent, in its order, once it is so much. A publication that is late on a busy machine is read
    from the store, and comes as `sync`."""
    async with asyncio.timeout(DEADLINE):
        while True:
            found = []
            for event in somebody.seen:
                found += {"message": [event], "sync": event.get("messages", [])}.get(event["type"], [])
            if len(found) >= number:
                return [{name: value for name, value in event.items() if name != "type"} for event in found]
            await somebody.next()
