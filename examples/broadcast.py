"""Broadcast: every message reaches everybody, and each join and leave tells how many are here."""

from pathlib import Path

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse

from hubbub import Hubbub, run

hub = Hubbub(guests="on")
app = FastAPI(lifespan=hub.lifespan)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/broadcast.html")


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    await hub.serve(websocket, room="everybody")


if __name__ == "__main__":
    run(app)
