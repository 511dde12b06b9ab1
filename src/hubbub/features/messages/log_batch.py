"""One batch of changes to rooms' logs: read what it touches, decide in order, write what changed.

The rules are plain Python on what was read, so each of them is written once for both engines. A kind of change has its
rule, its rows and its event in a module of its own: `log_send`, `log_edit`, `log_delete`, `log_react`, `log_pin`,
`log_trim`, `log_access`. Each runs a statement once for all the changes of its kind, whatever the size of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hubbub.accounts.users import Person
from hubbub.errors import NotFound, RequestError
from hubbub.features.messages.log_access import AccessChanges
from hubbub.features.messages.log_changes import Changed, ChangeRequest, Committing, RoomChange, Trim
from hubbub.features.messages.log_delete import Deletes
from hubbub.features.messages.log_edit import Edits
from hubbub.features.messages.log_guard import Guards
from hubbub.features.messages.log_pin import Pins
from hubbub.features.messages.log_react import Reactions
from hubbub.features.messages.log_send import Sends
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.features.messages.log_trim import Trims
from hubbub.store.base import Transaction
from hubbub.wire.messages import Delete, Edit, Pin, React, SendMessage


class Kind(Protocol):
    """All changes of one kind in a batch. It is made with their requests, and reads the rows that only this kind
    needs."""

    def decide(self, head: Head, person: Person, request: ChangeRequest[Any], /) -> Changed[Any]:
        """Decide about one request; all requests before it in the batch have been decided. If it raises a
        `RequestError`, nothing was changed."""

    def write(self) -> None:
        """Write the rows that are neither a room's nor a message's own."""


_KINDS: dict[type, Callable[[Touched, Asked[Any]], Kind]] = {
    SendMessage: Sends,
    Edit: Edits,
    React: Reactions,
    Pin: Pins,
    # These two are last: they remove what the others have written of the same messages.
    Delete: Deletes,
    Trim: Trims,
}
"""Which class does which command, in the order in which they write."""


def change_rooms(
    transaction: Transaction,
    requests: Sequence[ChangeRequest[Any]],
    *,
    clock: Callable[[], float],
    committing: Committing | None = None,
) -> list[Changed[Any] | Exception]:
    """The operation of the rooms' logs, for `Database.submit`. `clock` gives seconds since 1970. `committing` is called
    at the end of the transaction, and may fail it."""
    touched = Touched(transaction, now=round(clock() * 1000))
    asked = touched.read(requests)
    of_kind: dict[type, list[tuple[ChangeRequest[Any], Person]]] = {}
    for one in asked:
        of_kind.setdefault(type(one[0].command), []).append(one)
    guards = Guards(touched, asked) if _are_guarded(touched, of_kind) else None
    kinds = {command: kind(touched, of_kind[command]) for command, kind in _KINDS.items() if command in of_kind}
    if guards is not None and RoomChange in of_kind:
        kinds[RoomChange] = AccessChanges(touched, of_kind[RoomChange], guards)
    decide = {command: kind.decide for command, kind in kinds.items()}

    outcomes: list[Changed[Any] | Exception] = []
    for request, person in asked:
        try:
            head = touched.heads.get(request.room)
            if head is None:
                raise NotFound(f"there is no room {request.room!r}", room=request.room)
            if head.guard is not None and guards is not None:
                guards.check(head, person, request)
            outcomes.append(decide[type(request.command)](head, person, request))
        except RequestError as refusal:
            outcomes.append(refusal)

    if touched.has_changed:
        _write(touched, kinds)
        if guards is not None:
            guards.write()
        if committing is not None:
            committing(transaction, outcomes)
    if guards is not None:
        guards.close()
    return outcomes


def _write(touched: Touched, kinds: dict[type, Kind]) -> None:
    # `Statement` says why these two, which SQLite may put off, come first.
    sends = kinds.pop(SendMessage, None)
    if sends is not None:
        sends.write()
    touched.write_heads()
    touched.write_messages()
    for kind in kinds.values():
        kind.write()


def _are_guarded(touched: Touched, of_kind: dict[type, Any]) -> bool:
    return RoomChange in of_kind or any(head.guarded for head in touched.heads.values())
