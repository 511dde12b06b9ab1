"""Messages routed by type, in plain FastAPI."""

from random import randint
from typing import Annotated, Any, Literal

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

app = FastAPI()


class Chat(BaseModel):
    type: Literal["chat"]
    id: str | None = None
    text: str = Field(max_length=4000)


class Typing(BaseModel):
    type: Literal["typing"]
    id: str | None = None
    active: bool


class Ping(BaseModel):
    type: Literal["ping"]
    id: str | None = None


class Roll(BaseModel):
    type: Literal["roll"]
    id: str | None = None
    sides: int = Field(6, ge=2, le=100)


Command = Annotated[Chat | Typing | Ping | Roll, Field(discriminator="type")]
commands: TypeAdapter[Command] = TypeAdapter(Command)
active: list[WebSocket] = []


async def broadcast(message: dict[str, Any]) -> None:
    for websocket in active.copy():
        try:
            await websocket.send_json(message)
        except (WebSocketDisconnect, RuntimeError):
            continue


async def perform(websocket: WebSocket, user: str, command: Command) -> None:
    match command:
        case Ping():
            await websocket.send_json({"type": "pong", "id": command.id})
            return
        case Chat():
            await broadcast({"type": "message", "user": user, "text": command.text})
        case Typing():
            await broadcast({"type": "typing", "user": user, "active": command.active})
        case Roll():
            await broadcast({"type": "rolled", "user": user, "result": randint(1, command.sides)})
    if command.id is not None:
        await websocket.send_json({"type": "ack", "id": command.id})


@app.websocket("/ws")
async def connect(websocket: WebSocket, username: str) -> None:
    await websocket.accept()
    active.append(websocket)
    try:
        while True:
            try:
                command = commands.validate_json(await websocket.receive_text())
            except ValidationError as error:
                errors = error.errors(include_url=False, include_context=False, include_input=False)
                await websocket.send_json({"type": "error", "code": "invalid", "errors": errors})
                continue
            await perform(websocket, username, command)
    except WebSocketDisconnect:
        active.remove(websocket)
