"""One batch of changes to rooms' logs: read what it touches, decide in order, write what changed.

Deciding is plain Python on what was read, so each rule stands once for both engines; reading and writing are a handful
of statements whatever the size of the batch. The rooms are locked before anything else of them is read: what is read
then is the latest, and the order of commits is the order of the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from hubbub.accounts.users import Address, Person
from hubbub.errors import Conflict, Forbidden, NotFound, RequestError, TooLarge
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import (
    Author,
    Changed,
    Delete,
    Edit,
    MessageChange,
    Outcome,
    Pin,
    React,
    Request,
    Send,
    Sent,
)
from hubbub.features.messages.log_epochs import keep_ends
from hubbub.features.messages.log_people import people_of, remembered
from hubbub.features.messages.log_rows import KeyedMessage, new_message
from hubbub.store.base import Transaction
from hubbub.wire.events import ChangedEvent, MessageEvent, Quote, Reaction, timestamp
from hubbub.wire.keys import fold

REACTION_USERS = 20
"""How many of those who reacted are named. The count goes on."""
REACTION_KINDS = 20
"""Different emoji under one message."""
QUOTED = 140
"""Characters of a message that are shown above a reply to it."""


@dataclass(slots=True)
class _Head:
    """A locked room."""

    id: int
    key: str
    seq: int
    rev: int
    is_moved: bool = False
    """By this batch."""

    def next_rev(self) -> int:
        self.is_moved = True
        self.rev += 1
        return self.rev


@dataclass(slots=True)
class _Message:
    """A message that the batch sends, changes or quotes."""

    room_id: int
    seq: int
    rev: int
    user_id: int
    text: str
    edited: int | None
    deleted: int | None
    pinned: int | None
    reactions: str | None
    user_key: str
    name: str
    is_changed: bool = False


@dataclass(slots=True)
class _Reactions:
    """Who reacted to what: what was there, and what is to be."""

    before: set[tuple[int, int, str, int]] = field(default_factory=set)
    after: set[tuple[int, int, str, int]] = field(default_factory=set)


def change_rooms(
    transaction: Transaction, requests: Sequence[Request], *, clock: Callable[[], float]
) -> list[Outcome | Exception]:
    """The operation of the rooms' log, for `Database.write`. `clock` gives seconds since 1970."""
    batch = Batch(transaction, now=round(clock() * 1000))
    batch.read(requests)
    outcomes: list[Outcome | Exception] = []
    for request in requests:
        try:
            outcomes.append(batch.decide(request))
        except RequestError as refusal:
            outcomes.append(refusal)
    batch.write()
    return outcomes


class Batch:
    """`read`, then `decide` request by request, then `write`. `now` is in milliseconds since 1970."""

    def __init__(self, transaction: Transaction, *, now: int) -> None:
        self._transaction = transaction
        self._now = now
        self._ts = timestamp(now / 1000)
        self._people: dict[Address, Person] = {}
        self._heads: dict[str, _Head] = {}
        """By the room's key as the requests spell it."""
        self._keyed: dict[tuple[int, int, str], KeyedMessage] = {}
        self._messages: dict[tuple[int, int], _Message] = {}
        self._targets: set[tuple[int, int]] = set()
        """Room and seq of the messages that the requests are about; some may be sent by this very batch."""
        self._reactions = _Reactions()
        self._added: list[tuple[Any, ...]] = []
        self._kept_edits: list[tuple[int, int, int, str]] = []

    def read(self, requests: Sequence[Request]) -> None:
        """Find and lock all that the requests touch. New people, and rooms that are spoken in, come to be."""
        sends = [request for request in requests if isinstance(request, Send)]
        changes = [request for request in requests if isinstance(request, MessageChange)]
        self._people = people_of(self._transaction, [request.author for request in requests])
        self._lock_rooms({request.room for request in requests}, {send.room for send in sends})
        self._find_keys(sends)
        self._find_messages(sends, changes)
        self._find_reactions([change for change in changes if isinstance(change, React)])

    def decide(self, request: Request) -> Outcome:
        """What comes of one request, given all before it. Raises a `RequestError`, and then it changed nothing."""
        head = self._heads.get(request.room)
        if head is None:
            raise NotFound(f"there is no room {request.room!r}", room=request.room)
        match request:
            case Send():
                return self._send(head, request)
            case Edit():
                return self._edit(head, self._message(head, request), request)
            case Delete():
                return self._delete(head, self._message(head, request), request)
            case React():
                return self._react(head, self._message(head, request), request)
            case Pin():
                return self._pin(head, self._message(head, request), request)

    def write(self) -> None:
        """Write what changed."""
        run = self._transaction.run
        moved = {head.id: head for head in self._heads.values() if head.is_moved}
        if not moved:
            return
        changed = [message for message in self._messages.values() if message.is_changed]
        heads = [(id, head.seq, head.rev) for id, head in sorted(moved.items())]
        # The deferrable ones come first: what follows has all of them brought in.
        if self._added:
            run(sql.ADD_MESSAGES, added=self._added)
        run(sql.MOVE_HEADS, head=heads)
        if changed:
            self._write_changed(changed)
        for head in moved.values():
            head.is_moved = False

    def _write_changed(self, changed: list[_Message]) -> None:
        run = self._transaction.run
        alive = [
            (message.room_id, message.seq, message.rev, message.text, message.edited, message.pinned, message.reactions)
            for message in changed
            if message.deleted is None
        ]
        buried = [
            (message.room_id, message.seq, message.rev, message.deleted)
            for message in changed
            if message.deleted is not None
        ]
        if alive:
            run(sql.CHANGE_MESSAGES, changed=alive)
        if self._kept_edits:
            run(sql.KEEP_EDITS, kept=self._kept_edits)
        gone = {(room_id, seq) for room_id, seq, _, _ in buried}
        before, after = self._reactions.before, {one for one in self._reactions.after if one[:2] not in gone}
        if added := sorted(after - before):
            run(sql.ADD_REACTIONS, added=added)
        if removed := sorted(before - after):
            run(sql.REMOVE_REACTIONS, removed=removed)
        if buried:
            run(sql.BURY_MESSAGES, buried=buried)
            run(sql.FORGET_EDITS, buried=sorted(gone))
            run(sql.FORGET_REACTIONS, buried=sorted(gone))

    # What the batch touches.

    def _lock_rooms(self, spellings: set[str], spoken_in: set[str]) -> None:
        folded_of = {room: fold(room) for room in spellings}
        wanted = set(folded_of.values())
        heads = self._remembered_heads(wanted)
        if missing := wanted.difference(heads):
            heads |= self._locked_heads(missing, {folded_of[room]: room for room in spoken_in})
        self._heads = {room: heads[folded] for room, folded in folded_of.items() if folded in heads}

    def _remembered_heads(self, wanted: set[str]) -> dict[str, _Head]:
        """Where nobody else moves them there is no need to look them up, nor to lock them."""
        if not self._transaction.is_alone:
            return {}
        known = remembered(self._transaction, "heads")
        return {folded: known[folded] for folded in wanted if folded in known}

    def _locked_heads(self, wanted: set[str], spoken_in: dict[str, str]) -> dict[str, _Head]:
        known = remembered(self._transaction, "rooms")
        ids = {folded: known[folded] for folded in wanted if folded in known}
        added: list[str] = []
        if missing := sorted(wanted - set(ids)):
            ids |= self._room_ids(missing)
            added = [folded for folded in missing if folded in spoken_in and folded not in ids]
            if added:
                self._transaction.run(sql.ADD_ROOMS, added=[(spoken_in[folded], folded) for folded in added])
                ids |= self._room_ids(added)
            known |= ids
        if not ids:
            return {}
        keep_ends(self._transaction, [ids[folded] for folded in ids if folded not in added])
        locked = self._transaction.rows(sql.LOCK_ROOMS, wanted=_column(sorted(ids.values())))
        heads = {fold(row[1]): _Head(*row) for row in locked}
        if self._transaction.is_alone:
            remembered(self._transaction, "heads").update(heads)
        return heads

    def _room_ids(self, folded: Sequence[str]) -> dict[str, int]:
        return {key: id for id, key in self._transaction.rows(sql.FIND_ROOMS, wanted=_column(folded))}

    def _find_keys(self, sends: Sequence[Send]) -> None:
        wanted = {
            (self._heads[send.room].id, self._people[send.author.address].id, send.key)
            for send in sends
            if send.key is not None
        }
        if wanted:
            self._keyed = {
                (room_id, user_id, key): KeyedMessage(*rest)
                for room_id, user_id, key, *rest in self._transaction.rows(sql.FIND_KEYS, wanted=sorted(wanted))
            }

    def _find_messages(self, sends: Sequence[Send], changes: Sequence[MessageChange]) -> None:
        about = [(change.room, change.seq) for change in changes]
        about += [(send.room, send.reply_to) for send in sends if send.reply_to is not None]
        self._targets = {(self._heads[room].id, seq) for room, seq in about if room in self._heads}
        if self._targets:
            found = [_Message(*row) for row in self._transaction.rows(sql.FIND_MESSAGES, wanted=sorted(self._targets))]
            self._messages = {(message.room_id, message.seq): message for message in found}

    def _find_reactions(self, reacts: Sequence[React]) -> None:
        wanted = {
            (self._heads[react.room].id, react.seq, react.emoji, self._people[react.author.address].id)
            for react in reacts
            if react.room in self._heads
        }
        if wanted:
            found = self._transaction.rows(sql.FIND_REACTIONS, wanted=sorted(wanted))
            before = {(room_id, seq, emoji, user_id) for room_id, seq, emoji, user_id in found}
            self._reactions = _Reactions(before, set(before))

    # The rules.

    def _send(self, head: _Head, send: Send) -> Sent:
        person = self._people[send.author.address]
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
            ts=self._now,
            key=send.key,
            digest=digest,
            reply_to=send.reply_to,
            data=send.data,
        )
        self._added.append(added)
        if self._targets and (head.id, head.seq) in self._targets:
            self._messages[head.id, head.seq] = _Message(
                head.id, head.seq, rev, person.id, send.text, None, None, None, None, person.key, person.name
            )
        if send.key is not None:
            self._keyed[address] = KeyedMessage(digest, head.seq, rev, self._now)
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
            ts=self._ts,
            **rare,
        )
        return Sent(head.key, head.seq, rev, self._ts, event)

    def _quote(self, head: _Head, seq: int) -> Quote:
        target = self._messages.get((head.id, seq))
        if target is None or target.deleted is not None:
            raise NotFound(f"there is no message {seq} to reply to", room=head.key)
        return Quote(user=target.user_key, name=target.name, text=target.text[:QUOTED])

    def _edit(self, head: _Head, message: _Message, edit: Edit) -> Changed:
        if message.user_id != self._people[edit.author.address].id:
            raise Forbidden("only who wrote a message may edit it", room=head.key)
        if message.text == edit.text:
            return Changed(head.key, message.rev, None)
        previous, message.text, message.edited = message.text, edit.text, self._now
        event = self._changed(head, message, edit.author, text=edit.text, edited=self._ts)
        self._kept_edits.append((head.id, message.seq, message.rev, previous))
        return event

    def _delete(self, head: _Head, message: _Message, delete: Delete) -> Changed:
        if message.user_id != self._people[delete.author.address].id and not delete.of_anybody:
            raise Forbidden("you may not delete what somebody else wrote", room=head.key)
        if message.deleted is not None:
            return Changed(head.key, message.rev, None)
        message.deleted = self._now
        return self._changed(head, message, delete.author, deleted=self._ts)

    def _react(self, head: _Head, message: _Message, react: React) -> Changed:
        person = self._people[react.author.address]
        reaction = (head.id, message.seq, react.emoji, person.id)
        if (reaction in self._reactions.after) == react.on:
            return Changed(head.key, message.rev, None)
        reactions = [Reaction(**given) for given in from_json(message.reactions or "[]")]
        if react.on:
            _add_reaction(reactions, react.emoji, person.key)
            self._reactions.after.add(reaction)
        else:
            _remove_reaction(reactions, react.emoji, person.key)
            self._reactions.after.discard(reaction)
        message.reactions = to_json(reactions).decode() if reactions else None
        return self._changed(head, message, react.author, reactions=reactions)

    def _pin(self, head: _Head, message: _Message, pin: Pin) -> Changed:
        if (message.pinned is not None) == pin.on:
            return Changed(head.key, message.rev, None)
        message.pinned = self._now if pin.on else None
        return self._changed(head, message, pin.author, pinned=pin.on)

    def _message(self, head: _Head, change: MessageChange) -> _Message:
        message = self._messages.get((head.id, change.seq))
        if message is None:
            raise NotFound(f"there is no message {change.seq} in room {head.key!r}", room=head.key)
        if message.deleted is not None and not isinstance(change, Delete):
            raise NotFound(f"message {change.seq} was deleted", room=head.key)
        return message

    def _changed(self, head: _Head, message: _Message, author: Author, **fields: Any) -> Changed:
        message.rev = head.next_rev()
        message.is_changed = True
        event = ChangedEvent(
            room=head.key,
            seq=message.seq,
            rev=message.rev,
            user=self._people[author.address].key,
            **fields,
        )
        return Changed(head.key, message.rev, event)


def _add_reaction(reactions: list[Reaction], emoji: str, user: str) -> None:
    for reaction in reactions:
        if reaction.emoji == emoji:
            reaction.count += 1
            if len(reaction.users) < REACTION_USERS:
                reaction.users.append(user)
            return
    if len(reactions) >= REACTION_KINDS:
        raise TooLarge(f"a message has at most {REACTION_KINDS} different reactions")
    reactions.append(Reaction(emoji=emoji, count=1, users=[user]))


def _remove_reaction(reactions: list[Reaction], emoji: str, user: str) -> None:
    for reaction in reactions:
        if reaction.emoji == emoji:
            reaction.count -= 1
            if user in reaction.users:
                reaction.users.remove(user)
            if not reaction.count:
                reactions.remove(reaction)
            return


def _column(values: Sequence[Any]) -> list[tuple[Any]]:
    return [(value,) for value in values]
