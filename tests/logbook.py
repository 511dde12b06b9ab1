"""A verb for each change of a room, so that a test says `log.send(ALICE, ROOM, "hello")`."""

from collections.abc import Awaitable
from typing import Any, Protocol

from hubbub.features.messages.log import RoomLogs
from hubbub.features.messages.log_changes import Changed, ChangeRequest, Trim
from hubbub.features.messages.messages import Messages
from hubbub.wire.identity import SYSTEM, User
from hubbub.wire.messages import Delete, Edit, MessageEvent, Pin, React, SendMessage


def send_request(user: User, room: str, text: str, **fields: Any) -> ChangeRequest[SendMessage]:
    """Validated by nobody, so that a test can ask for what no client may."""
    return ChangeRequest(user, room, SendMessage.model_construct(room=room, text=text, **fields))


class Verbs(Protocol):
    def change(self, request: ChangeRequest[Any]) -> Awaitable[Any]: ...

    async def send(self, user: User, room: str, text: str, **fields: Any) -> Changed[MessageEvent]:
        return await self._ask(send_request(user, room, text, **fields))

    async def edit(self, user: User, room: str, seq: int, text: str) -> Changed[Any]:
        return await self._ask(ChangeRequest(user, room, Edit(room=room, seq=seq, text=text)))

    async def delete(self, user: User, room: str, seq: int, *, of_anybody: bool = False) -> Changed[Any]:
        return await self._ask(ChangeRequest(user, room, Delete(room=room, seq=seq), of_anybody))

    async def react(self, user: User, room: str, seq: int, emoji: str, *, on: bool = True) -> Changed[Any]:
        return await self._ask(ChangeRequest(user, room, React(room=room, seq=seq, emoji=emoji, on=on)))

    async def pin(self, user: User, room: str, seq: int, *, on: bool = True) -> Changed[Any]:
        return await self._ask(ChangeRequest(user, room, Pin(room=room, seq=seq, on=on)))

    async def trim(self, room: str, seq: int) -> Changed[Any]:
        return await self._ask(ChangeRequest(SYSTEM, room, Trim(seq)))

    async def _ask(self, request: ChangeRequest[Any]) -> Changed[Any]:
        changed = await self.change(request)
        assert isinstance(changed, Changed)
        return changed


class Logbook(RoomLogs, Verbs):
    """The rooms' logs by themselves."""


class Talk(Verbs):
    """What a node does for its users."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def change(self, request: ChangeRequest[Any]) -> Awaitable[Any]:
        return self._messages.change(request)
