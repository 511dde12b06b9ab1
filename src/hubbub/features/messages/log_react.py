"""Reacting: an emoji under a message. All users who reacted are counted, and the first of them are named."""

from __future__ import annotations

from pydantic_core import from_json, to_json

from hubbub.accounts.users import Person
from hubbub.errors import TooLarge
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, ChangeRequest
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.wire.messages import ChangedEvent, React, Reaction

REACTION_USERS = 20
"""How many of the users who reacted are named. All are counted."""
REACTION_KINDS = 20
"""Different emoji under one message."""


class Reactions:
    """The reactions of a batch: who reacted to what before it, and after it."""

    def __init__(self, touched: Touched, asked: Asked[React]) -> None:
        self._touched = touched
        self._before: set[tuple[int, int, str, int]] = set()
        wanted = {
            (touched.heads[request.room].id, request.command.seq, request.command.emoji, person.id)
            for request, person in asked
            if request.room in touched.heads
        }
        if wanted:
            found = touched.transaction.rows(sql.FIND_REACTIONS, wanted=sorted(wanted))
            self._before = {(room_id, seq, emoji, user_id) for room_id, seq, emoji, user_id in found}
        self._after = set(self._before)

    def decide(self, head: Head, person: Person, request: ChangeRequest[React]) -> Changed[ChangedEvent]:
        touched, react = self._touched, request.command
        message = touched.message(head, react.seq)
        reaction = (head.id, message.seq, react.emoji, person.id)
        if (reaction in self._after) == react.on:
            return touched.unchanged(head, message, request)
        reactions = [Reaction(**given) for given in from_json(message.reactions or "[]")]
        if react.on:
            _add(reactions, react.emoji, person.key)
            self._after.add(reaction)
        else:
            _remove(reactions, react.emoji, person.key)
            self._after.discard(reaction)
        message.reactions = to_json(reactions).decode() if reactions else None
        return touched.changed(head, message, person, request, reactions=reactions)

    def write(self) -> None:
        run = self._touched.transaction.run
        gone = {(message.room_id, message.seq) for message in self._touched.buried()}
        after = {one for one in self._after if one[:2] not in gone}
        if added := sorted(after - self._before):
            run(sql.ADD_REACTIONS, added=added)
        if removed := sorted(self._before - after):
            run(sql.REMOVE_REACTIONS, removed=removed)


def _add(reactions: list[Reaction], emoji: str, user: str) -> None:
    for reaction in reactions:
        if reaction.emoji == emoji:
            reaction.count += 1
            if len(reaction.users) < REACTION_USERS:
                reaction.users.append(user)
            return
    if len(reactions) >= REACTION_KINDS:
        raise TooLarge(f"a message has at most {REACTION_KINDS} different reactions")
    reactions.append(Reaction(emoji=emoji, count=1, users=[user]))


def _remove(reactions: list[Reaction], emoji: str, user: str) -> None:
    for reaction in reactions:
        if reaction.emoji == emoji:
            reaction.count -= 1
            if user in reaction.users:
                reaction.users.remove(user)
            if not reaction.count:
                reactions.remove(reaction)
            return
