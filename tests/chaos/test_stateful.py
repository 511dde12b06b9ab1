"""Events in any order: a client's view equals the log, or the client was told to start over.

The server runs in the test's own event loop, so that a change can be put exactly between two reads of a recovery.
"""

import asyncio
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hubbub.client import Client
from hubbub.errors import RequestError
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.messages.log import RoomLogs
from hubbub.features.messages.log_check import check_rooms
from hubbub.features.rooms.rooms import channel_of
from hubbub.node import Node
from hubbub.serving.app import create_app
from hubbub.settings import Settings
from hubbub.store.operations import backup, check, restore
from hubbub.store.sqlite import SQLite
from hubbub.testing import serving
from hubbub.wire.identity import User
from hubbub.wire.messages import MessageEvent
from hubbub.wire.rooms import Joined
from tests.client.proxy import Proxy
from tests.logbook import Talk

pytestmark = pytest.mark.slow(2)

T = TypeVar("T")

ROOM = "hall"
BOB = User("bob", "Bob")
DEADLINE = 20.0
PAGE = 250
"""Rows that the server reads at a time during a recovery."""

places = st.floats(0, 1)
"""Where in the room: 0 is its first message, 1 its latest."""
changes = st.tuples(st.sampled_from(["say", "edit", "delete", "react", "pin", "trim"]), places)
Change = tuple[str, float]


class TownMachine(RuleBasedStateMachine):
    """Alice has a client, Bob calls the server directly, and the test controls the network between her and it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.engine = SQLite(self.path / "data")
        self.is_connected = True
        self.backups: list[Path] = []
        self.copies: list[Path] = []
        self.count = 0
        self.said = 0
        """The seq of the latest message that Alice may not know yet."""
        self.between: deque[Change] = deque()
        """What the test does after each of the server's next reads."""
        self.heard: list[int] = []
        """The messages that her client gave since she last had to start over."""
        self.begun_at = 0
        self.news = asyncio.Event()

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        self.proxy = await Proxy(0).__aenter__()
        await self._start_server()
        self.alice = Client(self.proxy.address, username="alice", first_wait=0.001, longest_wait=0.01)
        await self.alice.__aenter__()
        self.listening = asyncio.create_task(self._listen())
        self.hall = await self.alice.join(ROOM)

    def teardown(self) -> None:
        self.run(self._end())
        assert check(self.engine, check_rooms) == []
        self.runner.close()
        self.folder.cleanup()

    async def _end(self) -> None:
        await self.alice.close()
        await self.listening
        await self.server.aclose()
        await self.proxy.__aexit__()

    async def _start_server(self) -> None:
        options = Settings(data_dir=self.engine.path.parent, rate=1e6, burst=10**6, connections_per_address=0)
        app = create_app(options)
        self.server = AsyncExitStack()
        self.proxy.server_port = (await self.server.enter_async_context(serving(app, settings=options))).port
        self.node: Node = app.state.hub.node
        self._come_between_reads()

    def _come_between_reads(self) -> None:
        database = self.node.database
        assert database is not None
        read = database.read

        async def read_then_change(work: Callable[[Any], T], *, never_deferred: bool = False) -> T:
            page = await read(work, never_deferred=never_deferred)
            if self.between and not never_deferred:
                await self._change(*self.between.popleft())
            return page

        database.read = read_then_change  # type: ignore[method-assign]

    async def _listen(self) -> None:
        async for event in self.alice:
            if isinstance(event, MessageEvent):
                assert event.seq is not None
                self.heard.append(event.seq)
            elif isinstance(event, Joined) and not event.recovered:
                self.begun_at, self.heard = event.seq or 0, []
            self.news.set()

    # What happens.

    @rule(change=changes)
    def bob_does_something(self, change: Change) -> None:
        self.run(self._change(*change))

    @rule(number=st.sampled_from([10, PAGE + 50, 1001]))
    def bob_says_much(self, number: int) -> None:
        self.run(self._say_much(number))

    @precondition(lambda self: self.is_connected)
    @rule(text=st.sampled_from([".", "hello", "🎉", "x" * 4000]))
    def alice_says(self, text: str) -> None:
        self.run(self.hall.send(text))

    @precondition(lambda self: self.is_connected)
    @rule(place=places)
    def alice_edits(self, place: float) -> None:
        self.count += 1
        self.run(refused(self.hall.edit(self._seq(place), f"Alice's edit {self.count}")))

    @precondition(lambda self: self.is_connected)
    @rule()
    def alice_drops(self) -> None:
        self.proxy.refuse()
        self.is_connected = False

    @precondition(lambda self: not self.is_connected)
    @rule(between=st.lists(changes, max_size=4))
    def alice_comes_back_while_others_change_things(self, between: list[Change]) -> None:
        self.between.extend(between)
        self.proxy.accept()
        self.is_connected = True
        self.run(self.hall.history(limit=1))

    @precondition(lambda self: self.is_connected)
    @rule(meanwhile=st.lists(changes, min_size=2, max_size=6), between=st.lists(changes, max_size=2))
    def alice_is_away_for_a_moment(self, meanwhile: list[Change], between: list[Change]) -> None:
        self.alice_drops()
        for change in meanwhile:
            self.run(self._change(*change))
        self.alice_comes_back_while_others_change_things(between)

    @precondition(lambda self: self.is_connected)
    @rule(between=st.lists(changes, max_size=2), limit=st.integers(1, 200))
    def alice_reads_back_while_others_change_things(self, between: list[Change], limit: int) -> None:
        self.between.extend(between)
        self.run(self.hall.load_earlier(limit))

    @precondition(lambda self: self.is_connected)
    @rule(place=places, between=changes)
    def alice_reads_around_a_message_that_changes(self, place: float, between: Change) -> None:
        self.between.append(between)
        self.run(self.hall.history(around=self._seq(place), limit=20))

    @rule()
    def a_message_and_its_edit_are_not_delivered(self) -> None:
        """As if a broker drops publications: the next one that arrives shows the gap."""
        self.run(self._lose_publications())

    @rule()
    def the_last_that_was_said_is_not_delivered(self) -> None:
        """No later publication shows the gap, so the server repeats the room's position."""
        self.run(self._lose_publications(next_one_arrives=False))

    @rule()
    def the_server_restarts(self) -> None:
        self.run(self._restart(lambda: None))

    @rule()
    def a_backup_is_made(self) -> None:
        self.backups.append(self.path / f"backup-{len(self.backups)}.db")
        backup(self.engine, self.backups[-1])

    @precondition(lambda self: self.backups)
    @rule(place=places, change=changes)
    def a_backup_is_restored_under_connected_clients(self, place: float, change: Change) -> None:
        chosen = self.backups[round(place * (len(self.backups) - 1))]
        self.run(self._restart(lambda: restore(self.engine, chosen)))
        self.said = 0
        self.run(self._change(*change))

    @rule()
    def the_data_directory_is_copied(self) -> None:
        self.copies.append(self.path / f"copy-{len(self.copies)}")
        subprocess.run(["cp", "-r", self.engine.path.parent, self.copies[-1]], check=True)

    @precondition(lambda self: self.copies)
    @rule(place=places, change=changes)
    def a_copy_of_the_data_directory_is_put_back(self, place: float, change: Change) -> None:
        chosen = self.copies[round(place * (len(self.copies) - 1))]
        self.run(self._restart(lambda: self._put_back(chosen)))
        self.said = 0
        self.run(self._change(*change))

    def _put_back(self, copy: Path) -> None:
        shutil.rmtree(self.engine.path.parent)
        shutil.copytree(copy, self.engine.path.parent)

    # What must hold.

    @invariant()
    def the_view_equals_the_log(self) -> None:
        if self.is_connected:
            self.run(self._settle())
            assert self.hall.messages == self.run(self._log_from(self.hall.view.first))

    @invariant()
    def each_message_is_handed_out_once(self) -> None:
        assert len(self.heard) == len(set(self.heard))

    # How.

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(DEADLINE):
                return await work

        return self.runner.run(bounded())

    def _seq(self, place: float) -> int:
        return max(1, round(place * max(self.said, self.hall.view.seq)))

    async def _change(self, what: str, place: float) -> None:
        talk, seq = self._talk(), self._seq(place)
        self.count += 1
        doings: dict[str, Callable[[], Awaitable[object]]] = {
            "say": lambda: self._bob_says(f"Bob's message {self.count}"),
            "edit": lambda: talk.edit(BOB, ROOM, seq, f"Bob's edit {self.count}"),
            "delete": lambda: talk.delete(BOB, ROOM, seq),
            "react": lambda: talk.react(BOB, ROOM, seq, "👍", on=self.count % 3 > 0),
            "trim": lambda: talk.trim(ROOM, seq),
            "pin": lambda: talk.pin(BOB, ROOM, seq, on=self.count % 3 > 0),
        }
        await refused(doings[what]())

    async def _bob_says(self, text: str) -> int:
        said = await self._talk().send(BOB, ROOM, text)
        self.said = max(self.said, said.seq)
        return said.seq

    async def _say_much(self, number: int) -> None:
        await asyncio.gather(*(self._change("say", 1) for _ in range(number)))

    async def _lose_publications(self, *, next_one_arrives: bool = True) -> None:
        broker = self.node.broker
        publish = broker.publish
        broker.publish = lambda publication: None  # type: ignore[method-assign]
        seq = await self._bob_says("not delivered")
        await self._talk().edit(BOB, ROOM, seq, "not delivered either")
        broker.publish = publish  # type: ignore[method-assign]
        if next_one_arrives:
            await self._change("say", 1)
        else:
            # A broker that loses something says so.
            self.node.gaps.missed([channel_of(ROOM)])

    async def _restart(self, meanwhile: Callable[[], object]) -> None:
        self.proxy.refuse()
        await self.server.aclose()
        meanwhile()
        await self._start_server()
        if self.is_connected:
            self.proxy.accept()

    async def _settle(self) -> None:
        """Returns when Alice has received everything, in whatever way."""
        self.between.clear()
        # First wait until she has joined on this connection: a rev of another epoch may be the same number.
        await self.hall.history(limit=1)
        head = (await self._log().head(ROOM)).rev
        while (self.hall.view.rev or 0) < head or self._is_to_hear_more():
            self.news.clear()
            await self.news.wait()

    def _is_to_hear_more(self) -> bool:
        """A message that is trimmed on its way to Alice exists for nobody. Every other message must reach her."""
        said = set(range(self.begun_at + 1, self.hall.view.seq + 1))
        unheard = said.difference(self.heard)
        return not said.issuperset(self.heard) or any(seq > self.hall.view.floor for seq in unheard)

    def _talk(self) -> Talk:
        return Talk(self.node.feature(MessagesFeature).messages)

    def _log(self) -> RoomLogs:
        return self.node.feature(MessagesFeature).logs

    async def _log_from(self, first: int) -> list[MessageEvent]:
        messages: list[MessageEvent] = []
        while True:
            page = await self._log().history(ROOM, after=messages[-1].seq if messages else first - 1, limit=1000)
            messages += page.messages
            if not page.more:
                return messages


async def refused(doing: Awaitable[object]) -> None:
    """Do it, or accept a refusal: the message may be gone."""
    with suppress(RequestError):
        await doing


TownMachine.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestTown = pytest.mark.slow(12)(TownMachine.TestCase)


def test_messages_trimmed_between_two_pages_of_a_recovery_are_gone_and_the_others_arrive() -> None:
    town = TownMachine()
    town.begin()
    town.bob_says_much(PAGE)
    town.alice_drops()
    town.bob_says_much(PAGE + 50)
    trimmed = PAGE + 100
    town.alice_comes_back_while_others_change_things([("trim", trimmed / (2 * PAGE + 50))])
    town.the_view_equals_the_log()
    town.each_message_is_handed_out_once()

    assert town.hall.view.floor == trimmed
    assert town.heard == list(range(1, PAGE + 1)) + list(range(trimmed + 1, 2 * PAGE + 51))
    town.teardown()


def test_a_copy_that_is_restored_twice_makes_alice_start_over_each_time() -> None:
    town = TownMachine()
    town.begin()
    town.bob_says_much(10)
    town.the_data_directory_is_copied()
    for _ in range(2):
        town.bob_says_much(10)
        town.the_view_equals_the_log()
        town.a_copy_of_the_data_directory_is_put_back(0, ("edit", 0.2))
        town.bob_says_much(10)
        town.the_view_equals_the_log()
    town.teardown()
