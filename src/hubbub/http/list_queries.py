"""Which part of a list a request asks for: of rooms, of who is online, of members."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from hubbub.wire.commands import invalid_fields
from hubbub.wire.rooms import ListQuery

ITEMS_PER_REQUEST = 100
"""A page with this many rooms or people costs as much as the request itself."""


class Part(BaseModel):
    """Which part of a list. `ListQuery` checks the fields, so that a mistake is an `invalid` like all others."""

    q: str | None = None
    after: str | None = None
    limit: str | None = None


def query_of(part: Part) -> ListQuery:
    """Raises `Invalid`."""
    try:
        return ListQuery.model_validate(part.model_dump(exclude_none=True))
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None


def size_of(query: ListQuery) -> float:
    """How many usual requests the page costs."""
    return 1 + query.limit / ITEMS_PER_REQUEST
