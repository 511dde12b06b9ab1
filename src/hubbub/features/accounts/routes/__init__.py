"""The REST API of accounts, a module for each noun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from hubbub.features.accounts.routes.accounts import add_administration, add_entering
from hubbub.features.accounts.routes.audit import add_audit
from hubbub.features.accounts.routes.invitations import add_invitations
from hubbub.features.accounts.routes.me import add_me, add_password
from hubbub.features.accounts.routes.resets import add_resets
from hubbub.features.accounts.routes.sessions import add_sessions, add_sessions_of_others
from hubbub.http.mounted import Mounted

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


def add_routes(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    """Add the routes under `/api/v1`."""
    add_entering(router, hub, feature)
    add_sessions(router, hub, feature)
    add_me(router, hub, feature)
    add_password(router, hub, feature)
    add_invitations(router, hub, feature)
    add_resets(router, hub, feature)
    add_administration(router, hub, feature)
    add_sessions_of_others(router, hub, feature)
    add_audit(router, hub, feature)
