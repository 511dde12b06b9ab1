"""A connection's life, logged with a client id, in plain FastAPI."""

import logging
from uuid import uuid4

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("lifecycle")

app = FastAPI()


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    client = uuid4().hex
    await websocket.accept()
    log.info("client %s connected", client)
    code, reason = 1000, ""
    try:
        while True:
            message = await websocket.receive_text()
            log.info("client %s sent %r", client, message)
            if message == "bye":
                reason = "bye"
                await websocket.close(code, reason)
                break
            if message == "crash":
                raise RuntimeError
    except WebSocketDisconnect as gone:
        code, reason = gone.code, gone.reason
    except Exception:
        log.exception("client %s failed", client)
        code = 1011
        await websocket.close(code)
    finally:
        log.info("client %s disconnected: %d %r", client, code, reason)
