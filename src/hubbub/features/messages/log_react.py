"""Reacting: an emoji under a message, counted in full and naming the first ones."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import from_json, to_json

from hubbub.errors import TooLarge
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, React
from hubbub.features.messages.log_touched import Head, Touched
from hubbub.wire.messages import Reaction

REACTION_USERS = 20
"""How many of those who reacted are named. The count goes on."""
REACTION_KINDS = 20
"""Different emoji under one message."""


class Reactions:
    """The reactions of a batch: who reacted to what before it, and after it."""

    def __init__(self, touched: Touched, reacts: Sequence[React]) -> None:
        self._touched = touched
        self._before: set[tuple[int, int, str, int]] = set()
        wanted = {
            (touched.heads[react.room].id, react.seq, react.emoji, touched.people[react.author.address].id)
            for react in reacts
            if react.room in touched.heads
        }
        if wanted:
            found = touched.transaction.rows(sql.FIND_REACTIONS, wanted=sorted(wanted))
            self._before = {(room_id, seq, emoji, user_id) for room_id, seq, emoji, user_id in found}
        self._after = set(self._before)

    def decide(self, head: Head, react: React) -> Changed:
        touched = self._touched
        message = touched.message(head, react)
        person = touched.people[react.author.address]
        reaction = (head.id, message.seq, react.emoji, person.id)
        if (reaction in self._after) == react.on:
            return Changed(head.key, message.rev, None)
        reactions = [Reaction(**given) for given in from_json(message.reactions or "[]")]
        if react.on:
            _add(reactions, react.emoji, person.key)
            self._after.add(reaction)
        else:
            _remove(reactions, react.emoji, person.key)
            self._after.discard(reaction)
        message.reactions = to_json(reactions).decode() if reactions else None
        return touched.changed(head, message, react.author, reactions=reactions)

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
