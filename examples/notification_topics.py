"""Notification topics: programs publish by HTTP or from a route, and people follow the topics that they want.

`curl -d title='Disk is full' -d level=error localhost:8000/notify/alerts.disk` reaches everybody who follows
`alerts.disk` or `alerts.*`, on `/ws/notify/alerts.*`. Levels are info, success, warning and error.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

from hubbub import Hubbub, run

hub = Hubbub(guests="on", page=False)
app = FastAPI()
app.include_router(hub.router)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/notification_topics.html")


@app.post("/deploy/{version}")
async def deploy(version: str) -> dict[str, int]:
    return {"told": await hub.topics("deploys").publish(f"{version} is live", level="success")}


if __name__ == "__main__":
    run(app)
