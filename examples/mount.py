"""A chat inside an application that has users already: the page is at /chat/, and uses the application's login."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from starlette.requests import HTTPConnection

from hubbub import Hubbub, User, run

USERS = {"7": "Alice", "8": "Bob"}


def current_user(connection: HTTPConnection) -> User:
    """The application's own login. HTTP requests and WebSockets are both an `HTTPConnection`."""
    key = connection.cookies.get("session", "")
    if key not in USERS:
        raise HTTPException(401, "log in first")
    return User(key, USERS[key])


hub = Hubbub(authenticate=current_user)
app = FastAPI()
app.include_router(hub.router, prefix="/chat")


@app.post("/login/{key}")
async def log_in(key: str, response: Response) -> None:
    # An application of your own checks a password here, and signs what it puts into the cookie.
    response.set_cookie("session", key, httponly=True, samesite="lax")


@app.post("/deployed/{version}")
async def deployed(version: str, user: Annotated[User, Depends(current_user)]) -> None:
    await hub.rooms("general").send(f"{user.name} deployed {version}")


if __name__ == "__main__":
    run(app)
