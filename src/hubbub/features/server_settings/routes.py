"""The routes of settings that administrators change while the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, create_model

from hubbub.accounts.policies import Action
from hubbub.errors import Conflict, NotFound, TooLarge
from hubbub.features.server_settings.feature import NAMES, type_of
from hubbub.http.asking import COMMON, body_of, permitted, read_model
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.settings import AT_RUN_TIME, LIMITS_AT_RUN_TIME, CurrentSettings, Settings

if TYPE_CHECKING:
    from hubbub.features.server_settings.feature import ServerSettingsFeature

SetBy = Literal["default", "here", "operator"]


def _changes(names: tuple[str, ...]) -> dict[str, Any]:
    """Fields for settings that may be left out, or None."""
    return {
        name: (type_of(name) | None, Field(None, description=Settings.model_fields[name].description)) for name in names
    }


_STRICT = ConfigDict(extra="forbid")
LimitChanges = create_model("LimitChanges", __config__=_STRICT, **_changes(LIMITS_AT_RUN_TIME))
SettingChanges = create_model(
    "SettingChanges",
    __config__=_STRICT,
    **_changes(AT_RUN_TIME),
    limits=(LimitChanges | None, Field(None, description="Some of the limits.")),
)


class SettingsInfo(BaseModel):
    name: str
    sign_up: Literal["open", "invited", "closed"]
    guests: Literal["auto", "on", "off"]
    default_rooms: list[str]
    limits: dict[str, int | float]
    set_by: dict[str, SetBy]
    """Where the value of each comes from. `here`: an administrator has set it. `operator`: it was given when the server
    was started, and cannot be changed here."""


def add_routes(router: APIRouter, hub: Mounted, feature: ServerSettingsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get("/api/v1/settings", tags=["administration"], responses=documented(*COMMON))
    async def settings(request: Request, account: Any = authenticated) -> SettingsInfo:
        """The settings that administrators may change while the server runs."""
        await permitted(hub, request, account, Action.MANAGE_SETTINGS)
        return _info(feature.services.current)

    @router.patch(
        "/api/v1/settings",
        tags=["administration"],
        responses=documented(*COMMON, NotFound, Conflict, TooLarge),
        openapi_extra=body_of(SettingChanges),
    )
    async def change_settings(request: Request, account: Any = authenticated) -> SettingsInfo:
        """Change some of them, on all nodes within a second; null goes back to what the server started with. What its
        operator has given at the start cannot be changed (409). Without guests, those who are here are sent away. New
        limits on commands hold for connections that come from now on."""
        who = await permitted(hub, request, account, Action.MANAGE_SETTINGS)
        wanted = (await read_model(hub, request, SettingChanges)).model_dump(exclude_unset=True)
        limits = wanted.pop("limits", None) or {}
        await feature.change(wanted | limits, by=who.user.key)
        return _info(feature.services.current)


def _info(current: CurrentSettings) -> SettingsInfo:
    now = current.now
    return SettingsInfo(
        **{name: getattr(now, name) for name in AT_RUN_TIME},
        limits={name: getattr(now, name) for name in LIMITS_AT_RUN_TIME},
        set_by={name: _set_by(current, name) for name in NAMES},
    )


def _set_by(current: CurrentSettings, name: str) -> SetBy:
    if name in current.fixed:
        return "operator"
    return "here" if name in current.changed else "default"
