"""Validated JSON, in plain FastAPI."""

from itertools import count
from typing import Literal

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, ValidationError

app = FastAPI()
numbers = count(1)


class Order(BaseModel):
    type: Literal["order"]
    id: str | None = None
    drink: Literal["coffee", "tea"]
    cups: int = Field(ge=1, le=10)


class Ordered(BaseModel):
    type: Literal["ordered"] = "ordered"
    id: str | None
    number: int
    price: float


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            try:
                order = Order.model_validate_json(await websocket.receive_text())
            except ValidationError as error:
                errors = error.errors(include_url=False, include_context=False, include_input=False)
                await websocket.send_json({"type": "error", "code": "invalid", "errors": errors})
                continue
            ordered = Ordered(id=order.id, number=next(numbers), price=2.5 * order.cups)
            await websocket.send_text(ordered.model_dump_json(exclude_none=True))
    except WebSocketDisconnect:
        pass
