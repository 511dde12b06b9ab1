"""An application with its own login, and the chat under a prefix."""

from fastapi import FastAPI, HTTPException, Response
from starlette.requests import HTTPConnection

from hubbub import Action, Hubbub, User

KEYS = {"Alice Liddell": "42"}


def current_user(connection: HTTPConnection) -> User | None:
    name = connection.cookies.get("who")
    if name == "nobody":
        raise HTTPException(403, "this account is closed")
    return User(KEYS[name], name) if name else None


app = FastAPI()


def may(user: User, action: Action, where: str) -> bool:
    return where != "library" or action not in {Action.SEND, Action.TYPE}


hub = Hubbub(authenticate=current_user, policy=may)
app.include_router(hub.router, prefix="/chat")


@app.get("/")
async def home() -> str:
    return "home"


@app.get("/login")
async def login(response: Response) -> str:
    response.set_cookie("who", next(iter(KEYS)))
    return "welcome"
