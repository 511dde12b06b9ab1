"""An application with a login of its own, and the chat under a prefix."""

from fastapi import FastAPI, HTTPException, Response
from starlette.requests import HTTPConnection

from hubbub import Hubbub, User

KEYS = {"Alice Liddell": "42"}


def current_user(connection: HTTPConnection) -> User | None:
    name = connection.cookies.get("who")
    if name == "nobody":
        raise HTTPException(403, "this account is closed")
    return User(KEYS[name], name) if name else None


app = FastAPI()
hub = Hubbub(authenticate=current_user)
app.include_router(hub.router, prefix="/chat")


@app.get("/")
async def home() -> str:
    return "home"


@app.get("/login")
async def login(response: Response) -> str:
    response.set_cookie("who", next(iter(KEYS)))
    return "welcome"
