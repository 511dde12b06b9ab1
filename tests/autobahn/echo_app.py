"""Sends back whatever comes, for Autobahn's fuzzing client: once by the hub, once by an ASGI endpoint.

`python -m tests.autobahn.echo_app` serves it on Hubbub's own protocol classes.
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import Connection, Hubbub, run
from hubbub.app.settings_sources import load_settings

ALL_IT_TAKES = {"frame_bytes": 32 * 1024 * 1024, "rate": 1e6, "burst": 1_000_000, "connections_per_address": 0}

hub = Hubbub(guests="on", page=False, settings=load_settings(**ALL_IT_TAKES))
app = FastAPI(lifespan=hub.lifespan)


@app.websocket("/adopted")
async def adopted(websocket: WebSocket) -> None:
    await hub.serve(websocket, on_message=send_back)


def send_back(connection: Connection, message: str | bytes) -> None:
    connection.send(message)


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while (frame := await websocket.receive())["type"] == "websocket.receive":
            if frame.get("text") is not None:
                await websocket.send_text(frame["text"])
            else:
                await websocket.send_bytes(frame["bytes"])
    except WebSocketDisconnect:
        # The fuzzing client often leaves before its echo.
        return


if __name__ == "__main__":
    run(app, settings=load_settings(**ALL_IT_TAKES))
