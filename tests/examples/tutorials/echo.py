"""Echo of text, JSON and bytes, in plain FastAPI."""

import json

from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            break
        if message.get("bytes") is not None:
            await websocket.send_bytes(message["bytes"])
            continue
        try:
            await websocket.send_json({"echo": json.loads(message["text"])})
        except ValueError:
            await websocket.send_text(f"echo: {message['text']}")
