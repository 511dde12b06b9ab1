"""People come, speak, vanish and return in any order: a key never belongs to two identities."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hubbub.accounts.guests import Guests
from hubbub.accounts.key_owners import KeyOwners
from hubbub.accounts.signing_key import SigningKeys
from hubbub.errors import Conflict
from hubbub.features.messages.log_people import claim_keys
from hubbub.store.database import Database
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from hubbub.wire.keys import fold
from tests.logbook import Logbook

T = TypeVar("T")

ROOM = "hall"
LINGER = 10.0
names = st.sampled_from(["alice", "ALICE", "alice\ufe0f", "bob", "Zoë"])
places = st.integers(0, 50)


@dataclass
class Visitor:
    """A guest who has kept the secret."""

    name: str
    secret: str
    identity: str
    user: User | None
    """While connected."""
    has_spoken: bool = False


class GuestsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0.0
        self.visitors: list[Visitor] = []
        self.writers: dict[int, str] = {}
        """Who wrote each message, by seq."""
        self.accounts: set[str] = set()

    @initialize()
    def start(self) -> None:
        self.database = Database(SQLite(Path(self.folder.name) / "data"))
        self.runner.run(self.database.start())
        self.log = Logbook(self.database)
        self.open()

    def open(self) -> None:
        self.owners = KeyOwners(self.database, claim=self.store_claim)
        self.guests = Guests(
            SigningKeys(b"k" * 32),
            clock=lambda: self.now,
            linger=LINGER,
            owners=self.owners,
            displaced=self.displaced,
        )

    def store_claim(self, user: User, answered: Callable[[Exception | None], None]) -> None:
        self.database.submit(claim_keys, user, answered)

    def displaced(self, guest: User) -> None:
        for visitor in self.visitors:
            if visitor.user is not None and visitor.identity == guest.identity:
                visitor.user = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.runner.run(self.database.stop())
        self.runner.close()
        self.folder.cleanup()

    @rule(name=names)
    def a_stranger_comes(self, name: str) -> None:
        try:
            admission = self.run(self.guests.admit(name))
        except Conflict:
            return
        self.visitors.append(Visitor(name, admission.secret, admission.user.identity, admission.user))

    @rule(place=places)
    def somebody_comes_back(self, place: int) -> None:
        if not self.visitors:
            return
        visitor = self.visitors[place % len(self.visitors)]
        if visitor.user is not None:
            return
        try:
            admission = self.run(self.guests.admit(visitor.name, visitor.secret))
        except Conflict:
            assert not visitor.has_spoken
            return
        assert admission.user.identity == visitor.identity
        visitor.user, visitor.secret = admission.user, admission.secret

    @rule(place=places)
    def somebody_speaks(self, place: int) -> None:
        here = [visitor for visitor in self.visitors if visitor.user is not None]
        if not here:
            return
        visitor = here[place % len(here)]
        assert visitor.user is not None
        sent = self.run(self.log.send(visitor.user, ROOM, "hello"))
        assert sent.event is not None
        assert sent.event.user == visitor.user.key
        self.writers[sent.seq] = visitor.identity
        visitor.has_spoken = True

    @rule(place=places, clean=st.booleans())
    def somebody_goes(self, place: int, clean: bool) -> None:
        here = [visitor for visitor in self.visitors if visitor.user is not None]
        if not here:
            return
        visitor = here[place % len(here)]
        assert visitor.user is not None
        self.guests.leave(visitor.user, clean=clean)
        visitor.user = None

    @rule(key=st.sampled_from(["alice", "Bob"]))
    def an_account_comes(self, key: str) -> None:
        if self.run(self.owners.claim(User(key, key))):
            self.log.users_changed()
        self.guests.make_way(key)
        self.accounts.add(fold(key))

    @rule(seconds=st.sampled_from([1.0, LINGER]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.guests.tick()

    @rule()
    def the_server_restarts(self) -> None:
        for visitor in self.visitors:
            visitor.user = None
        self.open()

    @invariant()
    def a_key_is_one_identity_s(self) -> None:
        if not hasattr(self, "log"):
            return
        owner_of = dict.fromkeys(self.accounts, "")
        for message in self.run(self.log.latest(ROOM, 1000)).messages:
            assert message.seq is not None
            identity = self.writers[message.seq]
            assert owner_of.setdefault(fold(message.user), identity) == identity
        for visitor in self.visitors:
            if visitor.user is not None:
                assert owner_of.setdefault(fold(visitor.user.key), visitor.identity) == visitor.identity


GuestsMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestGuests = GuestsMachine.TestCase
