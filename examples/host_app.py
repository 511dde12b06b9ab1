"""A host app: its own login, the chat at `/chat/`, and "your order has shipped" from a route and a background task."""

import secrets
from pathlib import Path
from typing import Annotated

from fastapi import BackgroundTasks, Body, Cookie, FastAPI, HTTPException, Response
from fastapi.responses import FileResponse

from hubbub import Action, Hubbub, User, run

PASSWORDS = {"alice": "wonderland", "bob": "builder"}
ORDERS = {7: "alice", 8: "bob"}
sessions: dict[str, str] = {}


async def current_user(session: Annotated[str | None, Cookie()] = None) -> str | None:
    return sessions.get(session or "")


def own_orders_only(user: User, action: Action, where: str) -> bool:
    return action not in {Action.FOLLOW, Action.PUBLISH} or (action, where) == (Action.FOLLOW, f"orders.{user.key}")


hub = Hubbub(authenticate=current_user, policy=own_orders_only)
app = FastAPI()
app.include_router(hub.router, prefix="/chat")


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/host_app.html")


@app.post("/login")
async def login(name: Annotated[str, Body()], password: Annotated[str, Body()], response: Response) -> None:
    if not secrets.compare_digest(PASSWORDS.get(name, "").encode(), password.encode()) or name not in PASSWORDS:
        raise HTTPException(403)
    session = secrets.token_urlsafe()
    sessions[session] = name
    response.set_cookie("session", session, httponly=True, samesite="strict")


@app.post("/orders/{order}/ship")
async def ship(order: int, tasks: BackgroundTasks, tonight: bool = False) -> None:
    if order not in ORDERS:
        raise HTTPException(404)
    if tonight:
        tasks.add_task(tell_buyer, order)
    else:
        await tell_buyer(order)


async def tell_buyer(order: int) -> None:
    await hub.topics(f"orders.{ORDERS[order]}").publish(f"Your order {order} has shipped", level="success")


if __name__ == "__main__":
    run(app)
