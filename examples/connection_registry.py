"""A registry: a user's new connection replaces the old one, which is closed with 1000 and does not reconnect.

`hub.users(key)` is the registry: it has a user's connections, the oldest first.
"""

from typing import Annotated

from fastapi import FastAPI, Query

from hubbub import Connection, Hubbub, run


async def user_of_query(user: Annotated[str, Query()]) -> str:
    """Put your own login here."""
    return user


hub = Hubbub(authenticate=user_of_query)
app = FastAPI()
app.include_router(hub.router)


@hub.on_connect
def replace_older(connection: Connection) -> None:
    for older in hub.users(connection.user.key).connections[:-1]:
        older.close(1000, "replaced by a newer connection")


if __name__ == "__main__":
    run(app)
