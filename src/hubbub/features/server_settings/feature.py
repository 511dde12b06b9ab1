"""The feature of settings at run time: it stores what administrators set, and lets every node take it.

Others read `Services.current` where they need a value. So nothing is asked or awaited for a message or a connection.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import TypeAdapter, ValidationError

from hubbub.accounts.access_changes import AccessKind
from hubbub.accounts.roles import may_be_public
from hubbub.delivery.connection import Connection
from hubbub.errors import Conflict, Invalid, NotFound
from hubbub.features.access.feature import AccessFeature
from hubbub.features.access.rereading import Rereading
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.server_settings.table import TABLES, store_settings, stored_settings
from hubbub.limits import WORK_PER_COMMAND, Allowance
from hubbub.settings import AT_RUN_TIME, LIMITS_AT_RUN_TIME, Settings
from hubbub.wire.codes import CloseCode
from hubbub.wire.keys import clean_title

if TYPE_CHECKING:
    from fastapi import APIRouter

log = logging.getLogger("hubbub")

NAMES = (*AT_RUN_TIME, *LIMITS_AT_RUN_TIME)


def type_of(name: str) -> Any:
    """The type of a setting, with its limits."""
    field = Settings.model_fields[name]
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


_TYPES: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(type_of(name)) for name in NAMES}


class ServerSettingsFeature(Feature):
    name = "hubbub.settings"
    scripts = TABLES

    def open(self, services: Services) -> None:
        super().open(services)
        self._changes = services.feature(AccessFeature).changes
        self._rereading = Rereading(self._changes, AccessKind.SETTINGS, self._read)

    async def start(self) -> None:
        await self._rereading.now()

    def jobs(self) -> Iterable[Job]:
        yield self._rereading.job

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.server_settings.routes import add_routes

        add_routes(router, hub, self)

    async def change(self, values: Mapping[str, Any], *, by: str) -> None:
        """Set these, until somebody sets something else; None goes back to the start's setting. Returns when that is
        durable, and holds on this node. On other nodes it does within a second.

        Raises `Invalid`, `Conflict` for a setting that the operator has given, `NotFound` if nothing is stored here,
        `Unavailable`.
        """
        database = self.services.database
        if database is None:
            raise NotFound("this server stores nothing, so only its operator changes settings")
        for name, value in values.items():
            if name in self.services.current.fixed:
                raise Conflict(f"{name}: the server's operator has set this, by an option, a variable or the file")
            _check(name, value)
        change = await database.transact(partial(store_settings, values=values, by=by))
        self._changes.tell(change)
        await self._rereading.now()

    async def _read(self) -> None:
        database, current = self.services.database, self.services.current
        if database is None:
            return
        stored = await database.read(stored_settings, never_deferred=True)
        before = current.now
        current.change({name: value for name, value in stored.items() if _is_valid(name, value)})
        now = current.now
        self.services.fanout.work = Allowance(now.rate * WORK_PER_COMMAND, now.burst * WORK_PER_COMMAND)
        if now.guests == "off" and before.guests != "off":
            for connection in list(self.services.fanout.connections.values()):
                self.end_if_not_admitted(connection)

    def end_if_not_admitted(self, connection: Connection) -> None:
        """Close the connection of a guest if there are no guests now. That may be so since it was let in.

        Only guests whom the hub itself has admitted have an identity. Those of an application's own login are that
        application's affair.
        """
        user = connection.user
        if user.guest and user.identity and self.services.current.now.guests == "off":
            connection.close(CloseCode.UNAUTHENTICATED, "log in first; guests are not admitted any more")


def _check(name: str, value: Any) -> None:
    """Raises `Invalid` for what the type of the setting does not say: keys and names."""
    if name == "default_rooms":
        for room in value or ():
            if not may_be_public(room):
                raise Invalid(f"default_rooms: {room[:64]!r} can never be a public room's key")
    if name == "name" and value is not None:
        try:
            clean_title(value)
        except ValueError as error:
            raise Invalid(f"name: {error}") from None


def _is_valid(name: str, value: Any) -> bool:
    """Another version of the program may have stored more than this one knows."""
    try:
        _TYPES[name].validate_python(value)
    except (KeyError, ValidationError):
        log.warning("the setting %r that an administrator has changed is not for this version: ignored", name)
        return False
    return True
