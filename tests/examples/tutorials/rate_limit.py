"""Ten messages a minute, in plain FastAPI."""

import math
import time
from collections import defaultdict, deque

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

COUNT, SECONDS = 10, 60.0

app = FastAPI()
active: list[WebSocket] = []
sent: defaultdict[str, deque[float]] = defaultdict(deque)


def wait_of(user: str) -> float:
    now, times = time.monotonic(), sent[user]
    while times and now - times[0] >= SECONDS:
        times.popleft()
    if len(times) >= COUNT:
        return SECONDS - (now - times[0])
    times.append(now)
    return 0.0


@app.websocket("/ws/chat")
async def chat(websocket: WebSocket, username: str) -> None:
    await websocket.accept()
    active.append(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            wait = wait_of(username)
            if wait:
                message = f"at most {COUNT} in {SECONDS:g} s; come back in {math.ceil(wait)} s"
                await websocket.send_json({"type": "error", "code": "rate_limited", "message": message})
                continue
            for other in active.copy():
                try:
                    await other.send_json({"type": "message", "user": username, "text": text})
                except (WebSocketDisconnect, RuntimeError):
                    continue
    except WebSocketDisconnect:
        active.remove(websocket)
