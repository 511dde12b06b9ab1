"""A database as after two years of conversation, to measure what depends on the number of stored messages.

This module imports `hubbub`: it uses the log's own code, with a thousand changes in a transaction. So each row is as a
server would have written it, in a fraction of the time.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from bench import programs
from bench.errors import BenchError
from hubbub.features.messages.log_batch import change_rooms
from hubbub.features.messages.log_changes import ChangeRequest
from hubbub.store.base import Writer
from hubbub.store.migrations import HEAD
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from hubbub.wire.messages import Delete, Edit, Pin, React, SendMessage

ROOMS = 500
PEOPLE = 1000
BATCH = 1000
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
LASTED = timedelta(days=730)

CHANGES_PER_MESSAGE = 0.08
_CHANGES = {"react": 60, "edit": 25, "delete": 14, "pin": 1}
_EMOJI = ("👍", "❤️", "😂", "🎉", "👀", "✅")
_REPLIES = 0.06
_RECENT = 50
"""People answer and change recent messages."""


@dataclass(slots=True)
class _Room:
    key: str
    members: Sequence[User]
    seq: int = 0
    recent: deque[tuple[int, User]] = field(default_factory=lambda: deque(maxlen=_RECENT))


def filled(messages: int) -> Path:
    """The data directory of such a database, made once and kept in the cache. Copy it: a server would change it."""
    made_of = hashlib.sha256(Path(__file__).read_bytes() + HEAD.encode()).hexdigest()[:12]
    folder = programs.CACHE / f"filled-{messages}-{made_of}"
    if not folder.exists():
        _say(f"filling a database with {messages:,} messages (once)")
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        fill(part, messages)
        part.rename(folder)
    return folder


def fill(data_dir: Path, messages: int) -> None:
    """Write this many messages into a new database. The same number gives the same conversation.

    Raises BenchError if there is a database already.
    """
    engine = SQLite(data_dir)
    if engine.path.exists():
        raise BenchError(f"{engine.path} exists already")
    engine.prepare()
    try:
        with closing(engine.open_writer()) as writer:
            _write(writer, messages)
    finally:
        engine.release()


def _write(writer: Writer, messages: int) -> None:
    conversation = _Conversation(random.Random(messages))
    for said in range(0, messages, BATCH):
        now = (BEGAN + LASTED * (said / messages)).timestamp()
        requests = conversation.go_on(min(BATCH, messages - said))
        for outcome in writer.transact(partial(change_rooms, requests=requests, clock=partial(float, now))):
            if isinstance(outcome, Exception):
                raise outcome
        writer.rest(idle=False)
        if said and said % 100_000 == 0:
            _say(f"{said:,} of {messages:,} messages")
    writer.rest(idle=True)


class _Conversation:
    """Who says what, and where. Rooms, people and words follow Zipf's law: the n-th one is used 1/n as often."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        people = [User(f"person{number}", f"Person {number}") for number in range(1, PEOPLE + 1)]
        self._rooms = [
            _Room(f"room{number}", chance.sample(people, max(5, PEOPLE // (2 * number))))
            for number in range(1, ROOMS + 1)
        ]
        self._room_weights = _falling(ROOMS)
        self._member_weights = _falling(PEOPLE)
        self._words = _vocabulary(chance, 20_000)
        self._word_weights = _falling(len(self._words))

    def go_on(self, messages: int) -> list[ChangeRequest[Any]]:
        """The next messages, with the changes that come between them."""
        requests: list[ChangeRequest[Any]] = []
        for room in self._chance.choices(self._rooms, cum_weights=self._room_weights, k=messages):
            requests.append(self._message(room))
            if self._chance.random() < CHANGES_PER_MESSAGE:
                requests.append(self._change(room))
        return requests

    def _message(self, room: _Room) -> ChangeRequest[SendMessage]:
        author = self._member(room)
        reply_to = None
        if room.recent and self._chance.random() < _REPLIES:
            reply_to, _ = self._chance.choice(room.recent)
        room.seq += 1
        room.recent.append((room.seq, author))
        key = f"{self._chance.getrandbits(96):024x}"
        send = SendMessage(room=room.key, text=self._text(), key=key, reply_to=reply_to)
        return ChangeRequest(author, room.key, send)

    def _change(self, room: _Room) -> ChangeRequest[Any]:
        (kind,) = self._chance.choices([*_CHANGES], [*_CHANGES.values()])
        place = self._chance.randrange(len(room.recent))
        seq, author = room.recent[place]
        match kind:
            case "edit":
                return ChangeRequest(author, room.key, Edit(room=room.key, seq=seq, text=self._text()))
            case "delete":
                # From now on nobody answers or changes it.
                del room.recent[place]
                return ChangeRequest(author, room.key, Delete(room=room.key, seq=seq))
            case "pin":
                return ChangeRequest(author, room.key, Pin(room=room.key, seq=seq))
        react = React(room=room.key, seq=seq, emoji=self._chance.choice(_EMOJI))
        return ChangeRequest(self._member(room), room.key, react)

    def _member(self, room: _Room) -> User:
        weights = self._member_weights[: len(room.members)]
        return self._chance.choices(room.members, cum_weights=weights)[0]

    def _text(self) -> str:
        """Mostly a line, sometimes a screenful."""
        words = min(round(self._chance.lognormvariate(2.1, 0.8)) + 1, 300)
        return " ".join(self._chance.choices(self._words, cum_weights=self._word_weights, k=words))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _falling(number: int) -> list[float]:
    """Zipf's law, as cumulative weights."""
    return list(accumulate(1 / rank for rank in range(1, number + 1)))


def _vocabulary(chance: random.Random, size: int) -> list[str]:
    """Words made of syllables. The most common ones are the shortest, as in a language."""
    syllables = [consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in ("a", "e", "i", "o", "u", "ei")]
    words: dict[str, None] = {}
    while len(words) < size:
        length = 1 + sum(len(words) > bound for bound in (60, 2_500, 12_000))
        words["".join(chance.choices(syllables, k=length))] = None
    return list(words)
