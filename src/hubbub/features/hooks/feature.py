"""Calls an application's hooks about connections. The hooks about messages are called by `features/messages`."""

from __future__ import annotations

from hubbub.delivery.connection import Connection
from hubbub.dispatch.hooks import Hooks
from hubbub.features.feature import Feature


class HooksFeature(Feature):
    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def connected(self, connection: Connection) -> None:
        self._hooks.call(self._hooks.on_connect, connection)

    def joined(self, connection: Connection, room: str) -> None:
        self._hooks.call(self._hooks.on_join, connection, room)

    def left(self, connection: Connection, room: str) -> None:
        self._hooks.call(self._hooks.on_leave, connection, room)

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        self._hooks.call(self._hooks.on_disconnect, connection, connection.close_code, connection.close_reason)
