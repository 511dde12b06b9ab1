"""The route that makes tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from hubbub.accounts.tickets import LASTS
from hubbub.errors import Forbidden, RateLimited, Unauthenticated, Unavailable
from hubbub.http.admission import as_authenticated
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted

if TYPE_CHECKING:
    from hubbub.features.access.feature import AccessFeature


class Ticket(BaseModel):
    ticket: str = Field(repr=False)
    expires_in: int
    """Milliseconds."""


def add_routes(router: APIRouter, hub: Mounted, feature: AccessFeature) -> None:
    if hub.credentials is None:
        return  # the application's own login would not know tickets

    @router.post(
        "/api/v1/tickets",
        tags=["people"],
        status_code=201,
        response_model=Ticket,
        responses=documented(Unauthenticated, Forbidden, RateLimited, Unavailable),
    )
    async def make_ticket(request: Request, account: Any = Depends(hub.authenticate)) -> Ticket:
        """A ticket for one WebSocket: `?ticket=` in its address, once, within 30 seconds. For a client that can put a
        credential neither into a header nor into a subprotocol."""
        await hub.user_of(request, account)
        if account is None:
            raise Unauthenticated("log in first; a guest needs no ticket")
        return Ticket(ticket=await feature.tickets.make(as_authenticated(account)), expires_in=int(LASTS * 1000))
