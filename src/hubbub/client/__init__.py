"""The Python client.

    from hubbub.client import Client

    async with Client("ws://localhost:8000/ws", username="alice") as client:
        room = await client.join("general")
        await room.send("hello")
        async for event in client:
            print(event)

It knows the wire and the errors, and nothing of the server. From the logic outwards: `view` (a room's messages and
position, with `members`: who is what there), `outbox` (what has no answer yet), `session` (connections, rooms and
commands as a table of states), `room` (what can be done in one), and `client`, which puts a WebSocket under them.
`remote` is apart: it sends over HTTP, with an API key.
"""

from __future__ import annotations

from hubbub.client.client import Client, EventsLost
from hubbub.client.members import RoomMembers
from hubbub.client.remote import Remote, SentMessage
from hubbub.client.room import Room
from hubbub.client.session import Ended, State, Undelivered
from hubbub.client.view import RoomView
from hubbub.wire.messages import MessageEvent

__all__ = [
    "Client",
    "Ended",
    "EventsLost",
    "MessageEvent",
    "Remote",
    "Room",
    "RoomMembers",
    "RoomView",
    "SentMessage",
    "State",
    "Undelivered",
]
