"""Presence: who is here, in an online list that is updated by events, without polling.

`joined` holds the list, and `join` and `leave` update it: once per user, however many tabs there are. A user who loses
the network for a moment does not leave. Above a hundred people the list becomes a count.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

from hubbub import Hubbub, run

hub = Hubbub(guests="on", page=False)
app = FastAPI()
app.include_router(hub.router)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/presence.html")


@app.get("/online")
async def online() -> list[str]:
    """The same list for programs that are not connected."""
    return [user.name for user in hub.rooms("office").users()]


if __name__ == "__main__":
    run(app)
