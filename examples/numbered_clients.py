"""Numbered clients: a text comes back to its sender as "You wrote", and reaches everybody as "Client #7 says"."""

from itertools import count
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import FileResponse

from hubbub import Connection, Hubbub, User, run

numbers = count(1)


async def next_client() -> User:
    number = next(numbers)
    return User(str(number), f"Client #{number}")


hub = Hubbub(authenticate=next_client)
app = FastAPI(lifespan=hub.lifespan)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/numbered_clients.html")


@app.websocket("/ws")
async def connect(websocket: WebSocket, client: Annotated[User, Depends(next_client)]) -> None:
    await hub.serve(websocket, client, on_message=say)


def say(connection: Connection, message: str | bytes) -> None:
    connection.send(f"You wrote: {message!s}")
    hub.connections.send(f"{connection.user.name} says: {message!s}")


@hub.on_disconnect
def say_who_left(connection: Connection, code: int, reason: str) -> None:
    hub.connections.send(f"{connection.user.name} left the chat")


if __name__ == "__main__":
    run(app)
