"""A chat with usernames: SYSTEM says who joins and who leaves, and every line has a time.

The address is `/ws/chat/lobby?username=alice`. A name that somebody is using is refused with 409.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

from hubbub import Connection, Hubbub, run

hub = Hubbub(guests="on", page=False)
app = FastAPI()
app.include_router(hub.router)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/username_chat.html")


@hub.on_join
async def say_who_joined(connection: Connection, room: str) -> None:
    await hub.rooms(room).send(f"{connection.user.name} joined the chat")


@hub.on_leave
async def say_who_left(connection: Connection, room: str) -> None:
    await hub.rooms(room).send(f"{connection.user.name} left the chat")


if __name__ == "__main__":
    run(app)
