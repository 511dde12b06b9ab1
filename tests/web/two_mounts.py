"""Two chats of one origin, with pages that a test can change, and before them a proxy that answers as a cookie says."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import PlainTextResponse

from hubbub import Hubbub
from hubbub.http.page import add_page

PAGES = {"/chat": Path("pages/chat"), "": Path("pages/root")}

app = FastAPI()

for prefix, directory in PAGES.items():
    hub = Hubbub(guests="on", page=False, data_dir=Path("data") / directory.name)
    if directory.is_dir():
        page = APIRouter()
        add_page(page, directory)
        app.include_router(page, prefix=prefix)
    app.include_router(hub.router, prefix=prefix)


@app.middleware("http")
async def answer_as_the_cookie_says(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = request.cookies.get("answer")
    if answer is None or not request.url.path.endswith("/"):
        return await call_next(request)
    if answer == "late":
        await asyncio.sleep(10)
        return PlainTextResponse("From the proxy")
    return PlainTextResponse("From the proxy", int(answer))
