"""A registry: a user's newer connection replaces the older one, which is told so: 1000, and does not come back.

`hub.users(key)` is the registry: it knows a user's connections, the oldest first.
"""

from typing import Annotated

from fastapi import FastAPI, Query

from hubbub import Connection, Hubbub, run


async def user_of_query(user: Annotated[str, Query()]) -> str:
    """Stands for the log-in of your own."""
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
