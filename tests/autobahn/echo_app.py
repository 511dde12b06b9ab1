"""Sends back whatever comes, for Autobahn's fuzzing client."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


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
