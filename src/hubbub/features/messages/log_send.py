"""Sending: a message takes the next seq of its room, once for each idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from hubbub.errors import Conflict, NotFound
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Send, Sent
from hubbub.features.messages.log_rows import KeyedMessage, new_message
from hubbub.features.messages.log_touched import Head, Message, Touched
from hubbub.wire.base import timestamp
from hubbub.wire.messages import MessageEvent, Quote

QUOTED = 140
"""Characters of a message that are shown above a reply to it."""


class Sends:
    """The sends of a batch."""

    def __init__(self, touched: Touched, sends: Sequence[Send]) -> None:
        self._touched = touched
        self._added: list[tuple[Any, ...]] = []
        self._keyed: dict[tuple[int, int, str], KeyedMessage] = {}
        wanted = {
            (touched.heads[send.room].id, touched.people[send.author.address].id, send.key)
            for send in sends
            if send.key is not None
        }
        if wanted:
            self._keyed = {
                (room_id, user_id, key): KeyedMessage(*rest)
                for room_id, user_id, key, *rest in touched.transaction.rows(sql.FIND_KEYS, wanted=sorted(wanted))
            }

    def decide(self, head: Head, send: Send) -> Sent:
        touched = self._touched
        person = touched.people[send.author.address]
        digest = None
        if send.key is not None:
            digest = send.digest()
            address = (head.id, person.id, send.key)
            first = self._keyed.get(address)
            if first is not None:
                if first.digest not in {digest, None}:
                    raise Conflict("this key was used for another message", room=head.key)
                return Sent(head.key, first.seq, first.rev, timestamp(first.ts / 1000), None)
        quote = None
        if send.reply_to is not None:
            quote = self._quote(head, send.reply_to)
        rev = head.next_rev()
        head.seq += 1
        added = new_message(
            room_id=head.id,
            seq=head.seq,
            rev=rev,
            user_id=person.id,
            kind=send.kind,
            text=send.text,
            ts=touched.now,
            key=send.key,
            digest=digest,
            reply_to=send.reply_to,
            data=send.data,
        )
        self._added.append(added)
        if touched.targets and (head.id, head.seq) in touched.targets:
            touched.messages[head.id, head.seq] = Message(
                head.id, head.seq, rev, person.id, send.text, None, None, None, None, person.key, person.name
            )
        if send.key is not None:
            self._keyed[address] = KeyedMessage(digest, head.seq, rev, touched.now)
        # Most messages have none of these, and to validate an absent field takes as long as one that is there.
        rare: dict[str, Any] = {}
        if send.key is not None:
            rare["key"] = send.key
        if send.reply_to is not None:
            rare |= {"reply_to": send.reply_to, "quote": quote}
        if send.data is not None:
            rare["data"] = from_json(send.data)
        event = MessageEvent(
            room=head.key,
            seq=head.seq,
            rev=rev,
            user=person.key,
            name=person.name,
            kind=send.kind,
            text=send.text,
            ts=touched.ts,
            **rare,
        )
        return Sent(head.key, head.seq, rev, touched.ts, event)

    def _quote(self, head: Head, seq: int) -> Quote:
        target = self._touched.messages.get((head.id, seq))
        if target is None or target.deleted is not None:
            raise NotFound(f"there is no message {seq} to reply to", room=head.key)
        return Quote(user=target.user_key, name=target.name, text=target.text[:QUOTED])

    def write(self) -> None:
        if self._added:
            self._touched.transaction.run(sql.ADD_MESSAGES, added=self._added)
