"""Validated JSON: a bad message gets an error that names the field, and the connection stays open.

`{"type": "order", "drink": "tea", "cups": 2}` on `/ws` is answered by `{"type": "ordered", "number": 1, "price": 5.0}`.
"""

from itertools import count
from typing import Literal

from fastapi import FastAPI
from pydantic import Field

from hubbub import Command, Connection, Hubbub, Reply, run

hub = Hubbub(guests="on")
app = FastAPI()
app.include_router(hub.router)

numbers = count(1)


class Order(Command):
    type: Literal["order"] = "order"
    drink: Literal["coffee", "tea"]
    cups: int = Field(ge=1, le=10)


@hub.event
class Ordered(Reply):
    type: Literal["ordered"] = "ordered"
    number: int
    price: float


@hub.command
def take_order(connection: Connection, order: Order) -> Ordered:
    return Ordered(number=next(numbers), price=2.5 * order.cups)


if __name__ == "__main__":
    run(app)
