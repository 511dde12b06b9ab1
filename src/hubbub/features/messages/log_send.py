"""Sending: a message takes the next seq of its room, once for each idempotency key."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic_core import from_json, to_json

from hubbub.accounts.users import Person
from hubbub.errors import Conflict, NotFound
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, ChangeRequest
from hubbub.features.messages.log_rows import KeyedMessage, new_message
from hubbub.features.messages.log_touched import Asked, Head, Message, Touched
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import SYSTEM
from hubbub.wire.messages import MessageEvent, Quote, SendMessage

QUOTED = 140
"""Characters of a message that are shown above a reply to it."""


class Sends:
    """The messages that a batch sends."""

    def __init__(self, touched: Touched, asked: Asked[SendMessage]) -> None:
        self._touched = touched
        self._added: list[tuple[Any, ...]] = []
        self._keyed: dict[tuple[int, int, str], KeyedMessage] = {}
        wanted = {
            (touched.heads[request.room].id, person.id, request.command.key)
            for request, person in asked
            if request.command.key is not None
        }
        if wanted:
            self._keyed = {
                (room_id, user_id, key): KeyedMessage(*rest)
                for room_id, user_id, key, *rest in touched.transaction.rows(sql.FIND_KEYS, wanted=sorted(wanted))
            }

    def decide(self, head: Head, person: Person, request: ChangeRequest[SendMessage]) -> Changed[MessageEvent]:
        touched, send = self._touched, request.command
        data = to_json(send.data).decode() if send.data is not None else None
        digest = None
        if send.key is not None:
            digest = _digest(send, data)
            first = self._keyed.get((head.id, person.id, send.key))
            if first is not None:
                if first.digest not in {digest, None}:
                    raise Conflict("this key was used for another message", room=head.key)
                return Changed(request, head.key, first.seq, first.rev, timestamp_of(first.ts), None)
        # Most messages have none of these fields, and an absent field takes as long to validate as one that is given.
        rare: dict[str, Any] = {}
        if send.reply_to is not None:
            rare = {"reply_to": send.reply_to, "quote": self._quote(head, send.reply_to)}
        if data is not None:
            rare["data"] = from_json(data)
        if head.guard is not None:
            head.guard.take_turn(request, person, touched.now)
        rev = head.next_rev()
        head.seq += 1
        kind = "system" if request.user is SYSTEM else "text"
        added = new_message(
            room_id=head.id,
            seq=head.seq,
            rev=rev,
            user_id=person.id,
            kind=kind,
            text=send.text,
            ts=touched.now,
            key=send.key,
            digest=digest,
            reply_to=send.reply_to,
            data=data,
        )
        self._added.append(added)
        if touched.targets and (head.id, head.seq) in touched.targets:
            touched.messages[head.id, head.seq] = Message(
                head.id, head.seq, rev, person.id, send.text, None, None, None, None, person.key, person.name
            )
        if send.key is not None:
            self._keyed[head.id, person.id, send.key] = KeyedMessage(digest, head.seq, rev, touched.now)
            rare["key"] = send.key
        event = MessageEvent(
            room=head.key,
            seq=head.seq,
            rev=rev,
            user=person.key,
            name=person.name,
            kind=kind,
            text=send.text,
            ts=touched.ts,
            **rare,
        )
        return Changed(request, head.key, head.seq, rev, touched.ts, event)

    def _quote(self, head: Head, seq: int) -> Quote:
        target = self._touched.messages.get((head.id, seq))
        if target is None or target.deleted is not None or seq <= head.floor:
            raise NotFound(f"there is no message {seq} to reply to", room=head.key)
        return Quote(user=target.user_key, name=target.name, text=target.text[:QUOTED])

    def write(self) -> None:
        if self._added:
            self._touched.transaction.run(sql.ADD_MESSAGES, added=self._added)


def _digest(send: SendMessage, data: str | None) -> int:
    """A signed 64-bit number that differs for another content under the same key. It is stored."""
    content = repr((send.text, send.reply_to, data)).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)
