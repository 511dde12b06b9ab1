"""After any changes in any order, the log equals a plain list of messages, and so does the view of a client that comes
and goes."""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hubbub.errors import Conflict, RequestError
from hubbub.features.messages.log_changes import Changed
from hubbub.features.messages.log_check import check_rooms
from hubbub.store.database import Database
from hubbub.store.operations import backup, check, restore
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from hubbub.wire.messages import MessageEvent
from tests.logbook import Logbook

T = TypeVar("T")

ROOM = "general"
PEOPLE = [User("alice", "Alice"), User("bob", "Bob"), User("carol", "Carol", identity="guest")]
people = st.sampled_from(PEOPLE)
seqs = st.integers(1, 12)
texts = st.sampled_from(["", "hello", "bye", "🎉", "x" * 500])
emoji = st.sampled_from(["👍", "🎉"])


@dataclass
class Model:
    """What a message should be."""

    author: str
    text: str
    key: str | None
    is_deleted: bool = False
    is_pinned: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    sent: str | None = field(default=None, compare=False)
    """Its text before it was edited: the content that belongs to its key."""


class RoomMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = SQLite(Path(self.folder.name) / "data")
        self.model: dict[int, Model] = {}
        self.seq = self.rev = self.floor = 0
        self.view: dict[int, MessageEvent] = {}
        self.position = (0, "")
        self.saved: tuple[dict[int, Model], int, int, int] | None = None
        self.backups = 0

    @initialize()
    def start(self) -> None:
        self.database = Database(self.engine)
        self.runner.run(self.database.start())
        self.log = Logbook(self.database)

    def teardown(self) -> None:
        self.runner.run(self.database.stop())
        assert check(self.engine, check_rooms) == []
        self.runner.close()
        self.folder.cleanup()

    @rule(author=people, text=texts, key=st.sampled_from([None, "key-00000001", "key-00000002"]))
    def send(self, author: User, text: str, key: str | None) -> None:
        outcome = self.run(self.log.send(author, ROOM, text, key=key))
        for seq, first in self.model.items():
            if key is not None and (first.author, first.key) == (author.key, key):
                if not first.is_deleted and first.sent != text:
                    assert isinstance(outcome, Conflict)
                else:
                    assert isinstance(outcome, Changed)
                    assert (outcome.seq, outcome.event) == (seq, None)
                return
        self.seq += 1
        self.rev += 1
        assert isinstance(outcome, Changed)
        assert (outcome.seq, outcome.rev) == (self.seq, self.rev)
        self.model[self.seq] = Model(author.key, text, key, sent=text)

    @rule(author=people, seq=seqs, text=texts)
    def edit(self, author: User, seq: int, text: str) -> None:
        message = self.model.get(seq)
        allowed = message is not None and not message.is_deleted and message.author == author.key
        outcome = self.run(self.log.edit(author, ROOM, seq, text))
        self.agree(outcome, allowed=allowed, changes=message is not None and message.text != text)
        if allowed and message is not None:
            message.text = text

    @rule(author=people, seq=seqs, of_anybody=st.booleans())
    def delete(self, author: User, seq: int, of_anybody: bool) -> None:
        message = self.model.get(seq)
        allowed = message is not None and (of_anybody or message.author == author.key)
        outcome = self.run(self.log.delete(author, ROOM, seq, of_anybody=of_anybody))
        self.agree(outcome, allowed=allowed, changes=message is not None and not message.is_deleted)
        if allowed and message is not None:
            self.model[seq] = Model(message.author, "", message.key, is_deleted=True)

    @rule(author=people, seq=seqs, emoji=emoji, on=st.booleans())
    def react(self, author: User, seq: int, emoji: str, on: bool) -> None:
        message = self.model.get(seq)
        allowed = message is not None and not message.is_deleted
        before = message.reactions.get(emoji, []) if message is not None else []
        outcome = self.run(self.log.react(author, ROOM, seq, emoji, on=on))
        changes = (author.key in before) != on
        self.agree(outcome, allowed=allowed, changes=changes)
        if allowed and changes and message is not None:
            who = [*before, author.key] if on else [one for one in before if one != author.key]
            if who:
                message.reactions[emoji] = who
            else:
                del message.reactions[emoji]

    @rule(author=people, seq=seqs, on=st.booleans())
    def pin(self, author: User, seq: int, on: bool) -> None:
        message = self.model.get(seq)
        allowed = message is not None and not message.is_deleted
        outcome = self.run(self.log.pin(author, ROOM, seq, on=on))
        self.agree(outcome, allowed=allowed, changes=message is not None and message.is_pinned != on)
        if allowed and message is not None:
            message.is_pinned = on

    @rule(seq=seqs)
    def trim(self, seq: int) -> None:
        allowed = self.seq >= max(seq, 1)
        outcome = self.run(self.log.trim(ROOM, seq))
        self.agree(outcome, allowed=allowed, changes=seq > self.floor)
        if allowed:
            self.floor = max(seq, self.floor)
            self.model = {seq: message for seq, message in self.model.items() if seq > self.floor}

    @rule()
    def restart(self) -> None:
        self.runner.run(self.database.stop())
        self.start()

    @precondition(lambda self: self.backups < 2)
    @rule()
    def back_up(self) -> None:
        self.backups += 1
        backup(self.engine, self.backup_file)
        copies = {seq: Model(**vars(message)) for seq, message in self.model.items()}
        for message in copies.values():
            message.reactions = dict(message.reactions)
        self.saved = (copies, self.seq, self.rev, self.floor)

    @precondition(lambda self: self.saved is not None)
    @rule()
    def restore_backup(self) -> None:
        assert self.saved is not None
        self.runner.run(self.database.stop())
        restore(self.engine, self.backup_file)
        self.model, self.seq, self.rev, self.floor = self.saved
        self.saved = None
        self.start()

    @property
    def backup_file(self) -> Path:
        return Path(self.folder.name) / f"backup-{self.backups}.db"

    @rule()
    def client_comes_back(self) -> None:
        recovery = self.runner.run(self.log.recover(ROOM, *self.position, latest=1000))
        rows = {message.seq: message for message in recovery.messages if message.seq is not None}
        self.view = {**self.view, **rows} if recovery.recovered else rows
        self.view = {seq: message for seq, message in self.view.items() if seq > recovery.head.floor}
        self.position = (recovery.head.rev, recovery.head.epoch)
        self.compare(self.view)

    @invariant()
    def the_log_is_the_model(self) -> None:
        page = self.runner.run(self.log.history(ROOM, after=0, limit=1000))
        assert (page.head.seq, page.head.rev, page.head.floor) == (self.seq, self.rev, self.floor)
        self.compare({message.seq: message for message in page.messages if message.seq is not None})

    def compare(self, rows: dict[int, MessageEvent]) -> None:
        shown = {
            seq: Model(
                row.user,
                row.text,
                row.key,
                row.deleted is not None,
                bool(row.pinned),
                {reaction.emoji: reaction.users for reaction in row.reactions or []},
            )
            for seq, row in rows.items()
        }
        assert shown == self.model

    def agree(self, outcome: Changed[Any] | RequestError, *, allowed: bool, changes: bool) -> None:
        assert allowed == isinstance(outcome, Changed)
        if isinstance(outcome, Changed):
            assert (outcome.event is not None) == changes
            self.rev += changes
            if changes:
                assert outcome.rev == self.rev

    def run(self, asked: Coroutine[Any, Any, T]) -> T | RequestError:
        try:
            return self.runner.run(asked)
        except RequestError as refusal:
            return refusal


TestRoom = RoomMachine.TestCase
TestRoom.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
