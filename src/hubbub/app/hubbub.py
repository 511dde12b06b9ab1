"""`Hubbub`: what an application mounts and talks to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from hubbub.accounts.policies import Membership, Policy, allow_everybody
from hubbub.app.arguments import GuestsAllowed, check_arguments, check_names
from hubbub.app.handles import Connections, RoomHandles, TopicHandle, UserHandle
from hubbub.app.settings_sources import load_settings, load_settings_of
from hubbub.app.sibling_processes import warn_of_siblings
from hubbub.app.wiring import choose_engine, choose_shared
from hubbub.dispatch.hooks import ConnectionHook, DisconnectHook, DraftHook, Hooks, MessageHook, RoomHook
from hubbub.dispatch.raw_link import MessageHandler
from hubbub.dispatch.registry import Handler, Registration, Registry, Unasked
from hubbub.errors import ConfigurationError, Invalid, NotStarted
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.features.built_in import built_in
from hubbub.features.feature import Feature
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import channel_of
from hubbub.http.admission import Admissions
from hubbub.http.credentials import Credentials
from hubbub.http.router import build_router
from hubbub.http.session_cookie import SessionCookie
from hubbub.http.socket_address import SocketAddress
from hubbub.http.socket_endpoint import WebSocketDoor, awaits_answer, refuse
from hubbub.http.socket_routes import not_a_key
from hubbub.node import Node
from hubbub.settings import CurrentSettings, Settings
from hubbub.store.base import Engine
from hubbub.wire.base import Command, Event
from hubbub.wire.commands import BUILT_IN, invalid_fields
from hubbub.wire.identity import User
from hubbub.wire.keys import is_key
from hubbub.wire.rooms import Join
from hubbub.wire.schema import SchemaText, json_schema

if TYPE_CHECKING:
    from hubbub.client.remote import Remote

log = logging.getLogger("hubbub")

# A hook is checked against its own kind and handed back as it came.
ConnectionHookT = TypeVar("ConnectionHookT", bound=ConnectionHook)
DisconnectHookT = TypeVar("DisconnectHookT", bound=DisconnectHook)
RoomHookT = TypeVar("RoomHookT", bound=RoomHook)
DraftHookT = TypeVar("DraftHookT", bound=DraftHook)
MessageHookT = TypeVar("MessageHookT", bound=MessageHook)
HandlerT = TypeVar("HandlerT", bound=Handler)
EventModel = TypeVar("EventModel", bound=type[Event])


class Hubbub:
    """A hub: live rooms inside a FastAPI application.

        hub = Hubbub(authenticate=current_user)
        app.include_router(hub.router, prefix="/chat")

    `authenticate` is the application's own FastAPI dependency. It must work for WebSockets too: take a
    `starlette.requests.HTTPConnection`, cookies, headers or query parameters, not a `Request`. It returns the user: a
    `hubbub.User`, a key (str or int), anything with `id` and `name`, or None for nobody. It may raise `HTTPException`,
    or `WebSocketException` for a 403. Its dependencies with `yield` are closed when the hub has taken the connection,
    not when the connection ends, so no database session stays open while somebody chats.

    With `accounts`, people have accounts in the hub instead: they sign up and log in at its routes, and the page has
    what they need (docs/accounts.md). That needs a database.

    `guests` says whether people without an account are admitted: "on", "off", or "auto" for those on this machine. By
    default they are not. A hub without `authenticate` and `accounts` must say it: with "off" it admits tokens and API
    keys only (docs/security.md). `policy` says who may do what. `membership(user, room)`, which is async, says who is
    what in the application's rooms: `owner`, `moderator`, `member`, `guest`, or None if the user may know nothing of
    the room. `page` says whether the web client is served at the router's root. `settings` are read from the
    environment and `hubbub.toml` when the application starts, if not given. `data_dir` is the directory in which
    messages are stored, unless the settings name another place; without either, nothing is stored. `features` are the
    application's own: `hubbub.Feature` objects that no other hub has.

    Raises `ConfigurationError` for arguments that cannot work, or with which nobody could ever connect.
    """

    def __init__(
        self,
        *,
        authenticate: Callable[..., Any] | None = None,
        accounts: bool = False,
        guests: GuestsAllowed | None = None,
        policy: Policy | None = None,
        membership: Membership | None = None,
        settings: Settings | None = None,
        data_dir: str | Path | None = None,
        page: bool = True,
        features: Sequence[Feature] = (),
    ) -> None:
        check_arguments(
            authenticate=authenticate,
            accounts=accounts,
            guests=guests,
            policy=policy,
            membership=membership,
            settings=settings,
            data_dir=data_dir,
            page=page,
            features=features,
        )
        self.accounts = AccountsFeature() if accounts else None
        self.session_cookie = (
            SessionCookie(self.accounts, lambda: self.admissions.origins) if self.accounts is not None else None
        )
        own = Credentials(lambda: self.node)
        own.cookie = self.session_cookie.authenticate if self.session_cookie is not None else None
        self.credentials = own if authenticate is None else None
        """Reads what people show; None if the application has a login of its own."""
        self.authenticate: Callable[..., Any] = authenticate or own.read
        self._guests = guests
        self._policy = policy
        self._membership = membership
        self._given_settings = settings
        self._data_dir = Path(data_dir) if data_dir is not None else None
        self._page = page
        self._hooks = Hooks()
        self._registry = Registry(channel_of, policy or allow_everybody)
        self.features: list[Feature] = [*built_in(self._hooks, self.accounts), *features]
        """The built-in features and the application's own."""
        for registration in _in_the_order_of_the_wire(self.features):
            self._registry.add(registration)
        for feature in self.features:
            for event in feature.events():
                self._registry.events.register(event)
        self.sockets: list[SocketAddress] = []
        self.schema_text = SchemaText(self._registry.commands, self._registry.events)
        self._node: Node | None = None
        self.hangs = False
        """Whether something did not end in time at the last stop and still runs; the log says what."""
        self._admissions: Admissions | None = None
        self._door: WebSocketDoor | None = None
        self.connections = Connections(lambda: self.node)
        """All connections to this process."""
        self.rooms = RoomHandles(lambda: self.node)
        """`hub.rooms("general")` is a room, even if nobody is in it. `for room in hub.rooms`: those with people."""

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

    @property
    def admissions(self) -> Admissions:
        """Decides who is admitted. Raises `NotStarted` outside the application's lifespan."""
        if self._admissions is None:
            raise NotStarted
        return self._admissions

    # What an application sends.

    def users(self, key: str | int) -> UserHandle:
        """A user, connected or not. Raises `Invalid` if `key` is no key."""
        return UserHandle(lambda: self.node, str(key))

    def topics(self, key: str) -> TopicHandle:
        """A topic that people can follow. Raises `Invalid` if `key` is no topic."""
        return TopicHandle(lambda: self.node, key)

    @staticmethod
    def remote(url: str, key: str, *, timeout: float = 10.0) -> Remote:
        """A hub that another process serves, for programs that only send: cron jobs, workers, other applications.

            remote = Hubbub.remote("https://chat.example.com", os.environ["HUBBUB_KEY"])
            remote.rooms("general").send_sync("The report is ready")

        `url`, `key` and `timeout` are as `Remote` says. Raises `ConfigurationError`.
        """
        from hubbub.client.remote import Remote

        return Remote(url, key, timeout=timeout)

    # The application's own addresses.

    async def serve(
        self,
        websocket: WebSocket,
        user: Any = None,
        *,
        room: str | None = None,
        on_message: MessageHandler | None = None,
    ) -> None:
        """Serve one of the application's own WebSocket routes. Return from the route afterwards.

            @app.websocket("/items/{item}/ws")
            async def item_chat(websocket: WebSocket, item: str, user: Annotated[User, Depends(login)]) -> None:
                await hub.serve(websocket, user, room=f"item:{item}")

        With `room`, the connection joins that room, and may send plain text to it (the easy door). It gets what it
        missed since the position `?rev=&epoch=`. An invalid room or position is refused with 400. With `on_message`,
        the socket has the application's own protocol: each message goes to this function, as str or bytes. `user` is
        anything that `authenticate` may return; None for a guest. The hub accepts or refuses the socket. If the route
        has closed the socket, nothing happens.

        Raises `ConfigurationError` if the route has accepted the socket.
        """
        if not awaits_answer(websocket):
            return
        if on_message is not None:
            await self.door.serve_raw(websocket, user, on_message)
            return
        if room is None:
            await self.door.serve(websocket, user)
            return
        try:
            join = _join_of(websocket, room)
        except Invalid as error:
            await refuse(websocket, error)
            return
        await self.door.serve(websocket, user, room=room, first=join)

    async def user_of(self, request: HTTPConnection, account: Any = None) -> User:
        """The user who makes an HTTP request, for a feature's route. `account` is what `Depends(hub.authenticate)`
        returned.

        Raises `Unauthenticated`, `Forbidden` and `RateLimited`. If the route does not catch them, the answer has their
        status.
        """
        self.node.require_started()
        user = self.admissions.identify(request, account)
        await self.admissions.take_request(request, user)
        return user

    # What an application takes part in.

    def on_connect(self, hook: ConnectionHookT) -> ConnectionHookT:
        """`hook(connection)`, after the welcome."""
        self._hooks.on_connect.append(hook)
        return hook

    def on_disconnect(self, hook: DisconnectHookT) -> DisconnectHookT:
        """`hook(connection, code, reason)`, when it is over; code 1006 if it ended without a close frame."""
        self._hooks.on_disconnect.append(hook)
        return hook

    def on_join(self, hook: RoomHookT) -> RoomHookT:
        """`hook(connection, room)`, when a connection has joined a room."""
        self._hooks.on_join.append(hook)
        return hook

    def on_leave(self, hook: RoomHookT) -> RoomHookT:
        """`hook(connection, room)`, when a connection has left a room, by command or by ending."""
        self._hooks.on_leave.append(hook)
        return hook

    def before_message(self, hook: DraftHookT) -> DraftHookT:
        """`hook(draft)`, before a message is sent. It may change the draft, return another one, or refuse by raising
        `hubbub.Forbidden`, `hubbub.RateLimited` or another `RequestError`."""
        self._hooks.before_message.append(hook)
        return hook

    def on_message(self, hook: MessageHookT) -> MessageHookT:
        """`hook(event)`, after a message was sent."""
        self._hooks.on_message.append(hook)
        return hook

    def command(self, handler: HandlerT) -> HandlerT:
        """Add a command of the application's own: `handler(connection, command)`, typed with its `Command` model.

        What it returns is the answer: a `Reply`, or None for an `ack`. The model takes part in the schema and the
        TypeScript types as the built-in ones do. Raises TypeError if the model can't be told from the annotations,
        ValueError if its `type` is taken.

        Commands are strict: a field that JSON cannot say by itself (datetime, UUID, Enum) takes `Field(strict=False)`.
        """
        hints = get_type_hints(handler)
        hints.pop("return", None)
        models = [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, Command)]
        if len(models) != 1:
            raise TypeError(f"{handler!r} needs one parameter that is annotated with its Command model")
        asks_by_itself = Unasked("the application's own: its handler decides who may")
        self._registry.add(Registration(models[0], handler, asks=asks_by_itself))
        return handler

    def event(self, model: EventModel) -> EventModel:
        """Add an event of the application's own, for the schema and the TypeScript types."""
        self._registry.events.register(model)
        return model

    def schema(self) -> dict[str, Any]:
        """The wire protocol as JSON Schema, the application's own commands and events included."""
        return json_schema(self._registry.commands, self._registry.events)

    # Its life.

    def problem(self) -> str | None:
        """Why new clients should go elsewhere at the moment, in a word; None if they are welcome."""
        if self._node is None or not self._node.is_started:
            return "starting"
        if self._node.is_draining:
            return "draining"
        if self._node.broker_problem is not None:
            return "broker"
        if self._node.database is not None and self._node.database.problem:
            return "database"
        if self._node.feature(RoomsFeature).rooms.access.is_behind:
            return "access"
        return None

    async def drain(self) -> None:
        """Send all connections away, in stages. New ones are refused from now on."""
        if self._node is not None:
            await self._node.drain()

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[dict[str, Hubbub]]:
        """Starts the hub with the application, and stops it.

        `hub.router` has this lifespan. An application that does not include the router needs
        `FastAPI(lifespan=hub.lifespan)`. The lifespan's state contains the hub, so that a server can find and drain it.
        """
        if self._node is not None:
            raise ConfigurationError("this hub runs already: include its router in one application, once")
        settings = self._given_settings or load_settings(self.features)
        for feature in self.features:
            load_settings_of(feature)
        if settings.data_dir is None:
            settings = settings.model_copy(update={"data_dir": self._data_dir})
        check_names(settings)
        self._hooks.timeout = settings.hook_timeout
        engine, shared = choose_engine(settings), choose_shared(settings)
        node = Node(
            settings,
            broker=shared.broker,
            presence=shared.presence,
            names=shared.names,
            limits=shared.limits,
            policy=self._policy,
            membership=self._membership,
            engine=engine,
            features=self.features,
            current=self._current(settings),
        )
        self._registry.policy = node.services.policy
        if self.credentials is not None:
            node.feature(AccessFeature).verify = self.credentials.of_token
        await node.start()
        _say_where_messages_go(engine, settings)
        if settings.broker_url is None:
            warn_of_siblings()
        self._node = node
        self._admissions = Admissions(node, among_accounts=self.credentials is None)
        self._door = WebSocketDoor(node, self._admissions, self._registry)
        try:
            yield {f"hubbub.{id(self)}": self}
        finally:
            try:
                self.hangs = not await node.stop()
            finally:
                self._node = self._admissions = self._door = None

    def _current(self, settings: Settings) -> CurrentSettings:
        """What an argument says otherwise than the settings is the application's own decision, and so are guests beside
        its own login: administrators do not change it."""
        fixed = set(settings.model_fields_set)
        if self.credentials is None or self._guests not in {None, settings.guests}:
            fixed.add("guests")
        return CurrentSettings(settings.model_copy(update={"guests": self._guests or "off"}), fixed=fixed)


def _in_the_order_of_the_wire(features: Sequence[Feature]) -> list[Registration]:
    """All commands, the built-in ones in the order of the schema and the documentation."""
    places = {model: place for place, model in enumerate(BUILT_IN)}
    registrations = [registration for feature in features for registration in feature.commands()]
    return sorted(registrations, key=lambda registration: places.get(registration.model, len(places)))


def _join_of(websocket: WebSocket, room: str) -> Join:
    """The command that a room's address stands for. Raises `Invalid` if the room is no key or the position is wrong."""
    if not is_key(room):
        raise not_a_key("room", room)
    if b"rev=" not in websocket.scope["query_string"]:
        return Join(room=room)
    position = {name: value for name, value in websocket.query_params.items() if name in {"rev", "epoch"}}
    try:
        return Join.model_validate({"room": room} | position, strict=False)
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None


def _say_where_messages_go(engine: Engine | None, settings: Settings) -> None:
    if engine is not None:
        log.info("messages are stored in %s", engine.place)
    elif settings.database_url is not None:
        log.info("messages are not stored: HUBBUB_DATABASE_URL is `none`")
    else:
        log.warning(
            "messages are not stored: who is away misses them. To store them, give Hubbub(data_dir=...), or set "
            "HUBBUB_DATA_DIR or HUBBUB_DATABASE_URL; HUBBUB_DATABASE_URL=none says that this is meant"
        )
