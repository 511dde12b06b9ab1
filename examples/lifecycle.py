"""The life of a connection: connects, messages, errors and disconnects are logged with the client's id.

Close codes: 1000 means done, 1001 that the other side goes away (a closed tab), 1011 that the server failed, 1012 that
it restarts. 1006 is never sent: it means that a client vanished without a close frame.
"""

import logging

from fastapi import FastAPI, WebSocket

from hubbub import Connection, Hubbub, run

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("lifecycle")

hub = Hubbub(guests="on")
app = FastAPI(lifespan=hub.lifespan)


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    await hub.serve(websocket, on_message=receive)


@hub.on_connect
def connected(connection: Connection) -> None:
    log.info("client %s connected", connection.id)


def receive(connection: Connection, message: str | bytes) -> None:
    log.info("client %s sent %r", connection.id, message)
    if message == "bye":
        connection.close(1000, "bye")
    elif message == "crash":
        raise RuntimeError("logged with its traceback and the client's id, and closed with 1011")


@hub.on_disconnect
def disconnected(connection: Connection, code: int, reason: str) -> None:
    log.info("client %s disconnected: %d %r", connection.id, code, reason)


if __name__ == "__main__":
    run(app)
