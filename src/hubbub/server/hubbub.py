"""The library's face: a hub that is mounted into somebody's FastAPI application."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any, Literal

from fastapi import APIRouter

from hubbub.accounts.policies import Policy
from hubbub.accounts.signing_key import load_signing_key
from hubbub.chat.rooms import channel_of
from hubbub.errors import ConfigurationError, Invalid, NotStarted
from hubbub.node import Node
from hubbub.server.admission import Admissions
from hubbub.server.commands import register_built_in
from hubbub.server.registry import Registry
from hubbub.server.router import build_router
from hubbub.server.websocket import WebSocketDoor
from hubbub.settings import Settings, load_settings
from hubbub.wire.events import MessageEvent, OnlineUser
from hubbub.wire.keys import clean_text, is_key

GuestsAllowed = Literal["auto", "on", "off"]


class Hubbub:
    """Rooms, live, inside a FastAPI application.

        hub = Hubbub(authenticate=current_user)
        app.include_router(hub.router, prefix="/chat")

    `authenticate` is a FastAPI dependency of the application's own. It must work for WebSockets too: take a
    `starlette.requests.HTTPConnection`, cookies, headers or query parameters, not a `Request`. What it returns is the
    user: a `hubbub.User`, a key (str or int), or anything with `id` and `name`; None for nobody. It may raise
    `HTTPException`. Dependencies with `yield` are closed when the connection has been handed to the hub, not when it
    ends, so a database session is not held for as long as somebody chats.

    `guests` says whether people without an account get in ("on", "off", or "auto": from this machine itself); by
    default, nobody does where there is an `authenticate`. `page` says whether the web client is served at the
    router's root.

    Raises `ConfigurationError` where nobody could ever get in.
    """

    def __init__(
        self,
        *,
        authenticate: Callable[..., Any] | None = None,
        guests: GuestsAllowed | None = None,
        settings: Settings | None = None,
        policy: Policy | None = None,
        page: bool = True,
    ) -> None:
        if authenticate is None and guests in {None, "off"}:
            raise ConfigurationError(
                "nobody could connect: give Hubbub(authenticate=...) your app's own login dependency, or guests='on'"
            )
        self.authenticate = authenticate or _nobody
        self._guests: GuestsAllowed = guests or "off"
        self._given_settings = settings
        self._policy = policy
        self._page = page
        self._node: Node | None = None
        self._door: WebSocketDoor | None = None

    @cached_property
    def router(self) -> APIRouter:
        """The routes. Include them in one application; its lifespan starts and stops the hub."""
        return build_router(self, page=self._page)

    @property
    def node(self) -> Node:
        """The running server. Raises `NotStarted` outside the application's lifespan."""
        if self._node is None:
            raise NotStarted
        return self._node

    @property
    def door(self) -> WebSocketDoor:
        """Serves this hub's WebSocket addresses. Raises `NotStarted` outside the application's lifespan."""
        if self._door is None:
            raise NotStarted
        return self._door

    def rooms(self, key: str) -> RoomHandle:
        """A room, whether or not somebody is in it. Raises `Invalid` if `key` is no key."""
        if not is_key(key):
            raise Invalid(f"{key!r} is no room key")
        return RoomHandle(self, key)

    def problem(self) -> str | None:
        """Why new clients should go elsewhere at the moment, in a word; None if they are welcome."""
        if self._node is None or not self._node.is_started:
            return "starting"
        if self._node.is_draining:
            return "draining"
        if not self._node.broker.is_healthy():
            return "broker"
        return None

    async def drain(self) -> None:
        """Send all connections away, in stages. New ones are refused from now on."""
        if self._node is not None:
            await self._node.drain()

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """Runs the hub for as long as the application runs."""
        if self._node is not None:
            raise ConfigurationError("this hub runs already: include its router in one application, once")
        settings = self._given_settings or load_settings()
        node = Node(settings, signing_key=_signing_key(settings), policy=self._policy)
        registry = Registry()
        register_built_in(registry, node)
        await node.start()
        self._node = node
        self._door = WebSocketDoor(node, Admissions(node, guests=self._guests), registry)
        try:
            yield
        finally:
            try:
                await node.stop()
            finally:
                self._node = self._door = None


class RoomHandle:
    """What an application can do with a room, from any route or task in the server's event loop."""

    def __init__(self, hub: Hubbub, key: str) -> None:
        self._hub = hub
        self.key = key

    @property
    def online(self) -> int:
        """How many users are in the room."""
        return self._hub.node.rooms.online(self.key)

    def users(self) -> list[OnlineUser]:
        """At most 100 of those who are in the room."""
        return self._hub.node.rooms.users(self.key)

    async def send(self, text: str, *, data: dict[str, Any] | None = None) -> MessageEvent:
        """Say something to everybody in the room, as the application (`kind: system`).

        Raises `Invalid` for a text over 4,000 characters or with control characters, `NotStarted` outside the
        application's lifespan or event loop.
        """
        self._hub.node.require_started()
        try:
            text = clean_text(text)
        except ValueError as error:
            raise Invalid(f"text: {error}") from None
        return self._hub.node.messages.announce(self.key, channel_of(self.key), text, data=data)


async def _nobody() -> None:
    """The login of an application that has none."""


def _signing_key(settings: Settings) -> bytes:
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    if settings.data_dir is not None:
        return load_signing_key(settings.data_dir)
    # Without a place to keep it the key lives as long as the process, and so do the guests.
    return secrets.token_bytes(32)
