"""A heartbeat that notices dead clients, in plain FastAPI: pings are messages, which every client must answer."""

import asyncio
import logging
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

HEARTBEAT = float(os.environ.get("HEARTBEAT", "25"))

log = logging.getLogger("heartbeat")
app = FastAPI()


async def ping(websocket: WebSocket) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT)
        await websocket.send_json({"type": "ping"})


@app.websocket("/ws")
async def connect(websocket: WebSocket, username: str) -> None:
    await websocket.accept()
    pings = asyncio.create_task(ping(websocket))
    try:
        while True:
            async with asyncio.timeout(2 * HEARTBEAT):
                await websocket.receive_text()
    except TimeoutError:
        log.info("%s is gone: 4408", username)
        await websocket.close(4408)
    except WebSocketDisconnect as gone:
        log.info("%s is gone: %d", username, gone.code)
    finally:
        pings.cancel()
