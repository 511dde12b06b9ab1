"""Messages routed by type: chat, typing, ping and acks are part of Hubbub; rolling dice is this application's command.

`{"type": "roll", "sides": 20, "id": "1"}` on `/ws/chat/table` is acked, and everybody at the table gets `rolled`.
Both are in `/schema.json`, like the built-in ones, so TypeScript types can be generated from it.
"""

from secrets import randbelow
from typing import Literal

from fastapi import FastAPI
from pydantic import Field

from hubbub import Command, Connection, Event, Hubbub, run

hub = Hubbub(guests="on")
app = FastAPI()
app.include_router(hub.router)


class Roll(Command):
    """Roll a die. Answered by `ack`."""

    type: Literal["roll"] = "roll"
    room: str
    sides: int = Field(6, ge=2, le=100)


@hub.event
class Rolled(Event):
    """Somebody in the room has rolled a die."""

    type: Literal["rolled"] = "rolled"
    room: str
    user: str
    sides: int
    result: int


@hub.command
async def roll(connection: Connection, roll: Roll) -> None:
    room = hub.rooms(roll.room)
    room.require(connection)
    result = randbelow(roll.sides) + 1
    await room.publish(Rolled(room=room.key, user=connection.user.key, sides=roll.sides, result=result))


if __name__ == "__main__":
    run(app)
