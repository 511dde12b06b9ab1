"""What a page must know before anybody has logged in: whether there are accounts, and who may come in how."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from hubbub.errors import Forbidden, Unavailable
from hubbub.features.mail.feature import MailFeature
from hubbub.features.openid.feature import OpenIdFeature
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted


class Provider(BaseModel):
    """Somebody else's log-in that counts here."""

    id: str
    name: str


class ServerInfo(BaseModel):
    name: str
    accounts: bool
    """Whether people log in here. Otherwise the application has a login of its own, or there are guests only."""
    sign_up: Literal["open", "invited", "closed"]
    guests: bool
    """Whether who asks would be let in as a guest."""
    needs_setup: bool
    """Whether nobody can administer this server yet: the setup link makes the first administrator."""
    default_rooms: list[str] = []
    """Public rooms that the page opens for somebody who comes for the first time."""
    providers: list[Provider] = []
    mail: bool = False
    """Whether who has forgotten the password can have a link sent."""


def add_server_info(router: APIRouter, hub: Mounted) -> None:
    @router.get(
        "/api/v1/server", tags=["accounts"], response_model=ServerInfo, responses=documented(Forbidden, Unavailable)
    )
    async def server(request: Request) -> ServerInfo:
        """What somebody who is not logged in can do here."""
        hub.node.require_started()
        accounts, now = hub.accounts, hub.node.services.current.now
        return ServerInfo(
            name=now.name,
            accounts=accounts is not None,
            sign_up=now.sign_up if accounts is not None else "closed",
            guests=hub.admissions.admits_guest(request),
            needs_setup=accounts is not None and await accounts.needs_setup(),
            default_rooms=now.default_rooms,
            providers=_providers(hub),
            mail=accounts is not None and hub.node.feature(MailFeature).resets is not None,
        )


def _providers(hub: Mounted) -> list[Provider]:
    if hub.accounts is None:
        return []
    name = hub.node.feature(OpenIdFeature).provider_name
    return [Provider(id="oidc", name=name)] if name is not None else []
