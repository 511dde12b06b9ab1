"""Echo: text comes back as text, JSON as JSON, and bytes as they are."""

import json
from pathlib import Path

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse

from hubbub import Connection, Hubbub, run

hub = Hubbub(guests="on")
app = FastAPI(lifespan=hub.lifespan)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/echo.html")


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    await hub.serve(websocket, on_message=echo)


def echo(connection: Connection, message: str | bytes) -> None:
    connection.send(message if isinstance(message, bytes) else echo_of(message))


def echo_of(text: str) -> str:
    try:
        return json.dumps({"echo": json.loads(text)})
    except ValueError:
        return f"echo: {text}"


if __name__ == "__main__":
    run(app)
