"""One batch of changes to rooms' logs: read what it touches, decide in order, write what changed.

Deciding is plain Python on what was read, so each rule stands once for both engines. A kind of change has its rule, its
rows and its event in a module of its own: `log_send`, `log_edit`, `log_delete`, `log_react`, `log_pin`. Each runs a
statement once for all the changes of its kind, whatever the size of the batch. (`log_trim` is an operation by itself.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hubbub.errors import NotFound, RequestError
from hubbub.features.messages.log_changes import Committing, Delete, Edit, Outcome, Pin, React, Request, Send
from hubbub.features.messages.log_delete import Deletes
from hubbub.features.messages.log_edit import Edits
from hubbub.features.messages.log_pin import Pins
from hubbub.features.messages.log_react import Reactions
from hubbub.features.messages.log_send import Sends
from hubbub.features.messages.log_touched import Head, Touched
from hubbub.store.base import Transaction


class Kind(Protocol):
    """The changes of one kind in a batch. It is made with them, and reads what it needs of its own rows."""

    def decide(self, head: Head, change: Any, /) -> Outcome:
        """What comes of one of them, given all before it. Raises a `RequestError`, and then it changed nothing."""

    def write(self) -> None:
        """Write what they changed besides rooms' heads and messages' rows."""


_KINDS: dict[type[Request], Callable[[Touched, Any], Kind]] = {
    Edit: Edits,
    React: Reactions,
    Pin: Pins,
    # What is deleted goes last, with what the others have written of it.
    Delete: Deletes,
}
"""What does the changes of messages, in the order in which they are written."""


def change_rooms(
    transaction: Transaction,
    requests: Sequence[Request],
    *,
    clock: Callable[[], float],
    committing: Committing | None = None,
) -> list[Outcome | Exception]:
    """The operation of the rooms' log, for `Database.write`. `clock` gives seconds since 1970; `committing` takes part
    in the transaction, and may fail it."""
    said = [request for request in requests if type(request) is Send]
    of_kind: dict[type[Request], list[Any]] = {}
    if len(said) < len(requests):
        for request in requests:
            of_kind.setdefault(type(request), []).append(request)
        of_kind.pop(Send, None)
    touched = Touched(transaction, now=round(clock() * 1000))
    about = [(send.room, send.reply_to) for send in said if send.reply_to is not None]
    about += [(change.room, change.seq) for changes in of_kind.values() for change in changes]
    touched.read(requests, spoken_in={send.room for send in said}, about=about)
    sends = Sends(touched, said)
    kinds = {kind: _KINDS[kind](touched, of_kind[kind]) for kind in _KINDS if kind in of_kind}
    deciding: dict[type[Request], Callable[[Head, Any], Outcome]] = {kind: one.decide for kind, one in kinds.items()}
    deciding[Send] = sends.decide

    outcomes: list[Outcome | Exception] = []
    for request in requests:
        try:
            head = touched.heads.get(request.room)
            if head is None:
                raise NotFound(f"there is no room {request.room!r}", room=request.room)
            outcomes.append(deciding[type(request)](head, request))
        except RequestError as refusal:
            outcomes.append(refusal)

    if touched.has_changed:
        # The deferrable ones come first: what follows has all of them brought in.
        sends.write()
        touched.write_heads()
        if kinds:
            touched.write_messages()
        for one in kinds.values():
            one.write()
        if committing is not None:
            committing(transaction, outcomes)
    return outcomes
