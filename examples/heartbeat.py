"""Heartbeat: the server notices a dead client, and the page reconnects by itself.

The server pings, and closes a client that was silent for two heartbeats with 4408. On other ASGI servers, their own
pings do that. `HUBBUB_HEARTBEAT=5` sets another interval than 25 s.
"""

import logging
from pathlib import Path

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse

from hubbub import Connection, Hubbub, run

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("heartbeat")

hub = Hubbub(guests="on")
app = FastAPI(lifespan=hub.lifespan)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/heartbeat.html")


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    await hub.serve(websocket)


@hub.on_disconnect
def disconnected(connection: Connection, code: int, reason: str) -> None:
    log.info("%s is gone: %d %s", connection.user.name, code, reason)


if __name__ == "__main__":
    run(app)
