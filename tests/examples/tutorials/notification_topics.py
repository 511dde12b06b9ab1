"""Notification topics with levels, in plain FastAPI."""

from collections import defaultdict
from typing import Annotated, Literal

from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect

app = FastAPI()
followers: defaultdict[str, list[WebSocket]] = defaultdict(list)

Level = Literal["info", "success", "warning", "error"]


async def publish(topic: str, title: str, level: Level) -> int:
    parts = topic.split(".")
    patterns = [topic] + [".".join(parts[:count]) + ".*" for count in range(1, len(parts))]
    sent = 0
    for pattern in patterns:
        for websocket in list(followers.get(pattern, [])):
            try:
                await websocket.send_json({"type": "notification", "topic": topic, "title": title, "level": level})
                sent += 1
            except (WebSocketDisconnect, RuntimeError):
                continue
    return sent


@app.websocket("/ws/notify/{topic}")
async def follow(websocket: WebSocket, topic: str) -> None:
    await websocket.accept()
    followers[topic].append(websocket)
    await websocket.send_json({"type": "following", "topic": topic})
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        followers[topic].remove(websocket)
        if not followers[topic]:
            del followers[topic]


@app.post("/notify/{topic}")
async def notify(topic: str, title: Annotated[str, Query()], level: Level = "info") -> dict[str, int]:
    return {"sent": await publish(topic, title, level)}


@app.post("/deploy/{version}")
async def deploy(version: str) -> dict[str, int]:
    return {"told": await publish("deploys", f"{version} is live", "success")}
