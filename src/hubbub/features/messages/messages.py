"""Saying something in a room, and changing it.

A command, `POST` and the application itself each make one `ChangeRequest`, and hand it over here. In a room that is
stored, a message is durable before it is published and its sender gets an answer. In one that is not stored, it is
published at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from hubbub.accounts.policies import Action, permit
from hubbub.delivery.connection import Connection
from hubbub.dispatch.answers import Later
from hubbub.dispatch.hooks import Draft, Hooks
from hubbub.errors import Invalid, NotFound
from hubbub.features.feature import Change, Services
from hubbub.features.messages.log import RoomLogs
from hubbub.features.messages.log_changes import Changed, ChangeRequest, Outcome, Relayed
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.rooms.access import Accesses
from hubbub.features.rooms.rooms import channel_of
from hubbub.wire.base import timestamp
from hubbub.wire.identity import SYSTEM, User
from hubbub.wire.keys import fold, is_blank
from hubbub.wire.messages import Delete, Edit, MessageEvent, SendMessage
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import RoomEvent


class Messages:
    """Does what users and the application ask for in rooms. `sent` is called for each user's message, with the user and
    the room's key, when it is published.

    The caller has asked the policy, as the link does for each command.
    """

    def __init__(
        self,
        services: Services,
        logs: RoomLogs,
        people: PeopleFeature,
        access: Accesses,
        hooks: Hooks,
        *,
        sent: Callable[[User, str], None],
    ) -> None:
        self._services = services
        self._logs = logs
        self._people = people
        self._access = access
        self._hooks = hooks
        self._sent = sent
        logs.committed = self._committed

    def change(self, request: ChangeRequest[Any]) -> Later[Changed[Any]] | Later[Relayed]:
        """Send a message, or change one. `RoomLogs.change` says which exceptions may be given instead of the result.

        Raises what is known at once: `Invalid` for a blank text, `NotFound` if the room stores no messages to change,
        and `Unavailable` if too many wait already.
        """
        command = request.command
        if self._access.application is not None and request.user is not SYSTEM:
            request.given = self._access.given(request.user, request.room)
        if type(command) is SendMessage:
            if command.data is None and is_blank(command.text):
                raise _blank("a message must not be blank")
            if not self._logs.stores(request.room):
                return self._relay(request)
        elif not self._logs.stores(request.room):
            raise NotFound(f"room {request.room!r} stores no messages", room=request.room)
        elif type(command) is Edit:
            if is_blank(command.text):
                raise _blank("a blank text is no message; delete it instead")
        elif type(command) is Delete:
            request.of_anybody = self._services.policy(request.user, Action.MODERATE, request.room)
        return self._logs.change(request)

    async def revise_and_send(
        self, request: ChangeRequest[SendMessage], connection: Connection | None = None
    ) -> Outcome:
        """Call the application's `before_message` hooks, ask the policy, and send the message. Raises what the hooks
        refuse it with, `Forbidden`, and what `change` raises or gives."""
        if self._access.is_closed(fold(request.room)):
            # The hooks need not know of what is refused anyway.
            await self._access.require(request.user, Action.SEND, request.room)
        if self._hooks.before_message:
            command = request.command
            draft = await self._hooks.revise(Draft(connection, request.room, command.text, command.data, request.user))
            request.command = command.model_copy(update={"text": draft.text, "data": draft.data})
        # The hooks may have taken long, and the policy's answer may have changed.
        permit(self._services.policy, request.user, Action.SEND, request.room)
        return await self.change(request)

    def _relay(self, request: ChangeRequest[SendMessage]) -> Later[Relayed]:
        user, send, ts = request.user, request.command, timestamp(time.time())
        event = MessageEvent(
            room=request.room,
            user=user.key,
            name=user.name,
            kind="system" if user is SYSTEM else "text",
            text=send.text,
            ts=ts,
            key=send.key,
            data=send.data,
        )
        relayed = Relayed(request, request.room, ts, event)
        self._tell(relayed, event)
        later: Later[Relayed] = Later()
        later.give(relayed)
        return later

    def _committed(self, changed: Changed[Any]) -> None:
        event = changed.event
        if event is None:
            # It was repeated. The node that did the first may have ended before it told anybody.
            self._services.broker.publish(Publication.head(channel_of(changed.room), changed.rev))
            return
        self._tell(changed, event)
        features = self._services.features
        if features.follow_changes:
            features.committed(Change(changed.room, changed.rev, event))

    def _tell(self, outcome: Outcome, event: Any) -> None:
        """Publish an event, and tell the parts of this node that want to know of it."""
        self._services.broker.publish(Publication(channel_of(outcome.room), event, position=outcome.rev))
        user = outcome.request.user
        if user is SYSTEM or type(event) is RoomEvent:
            return
        if event.user != user.key and fold(event.user) != fold(user.key):
            # The guest's key belongs to somebody else by now: to an account, or to a guest of another node. This change
            # was stored under a made key. After the answer, the guest is sent to come back, and is told that key then.
            asyncio.get_running_loop().call_soon(self._people.guests.has_other_key, user)
        if type(event) is MessageEvent:
            self._sent(user, outcome.room)
            if self._hooks.on_message:
                self._hooks.call(self._hooks.on_message, event)


def _blank(message: str) -> Invalid:
    return Invalid(f"text: {message}", errors=[{"loc": ["text"], "msg": message, "type": "blank"}])
