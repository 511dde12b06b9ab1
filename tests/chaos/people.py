"""People who chat while the server is killed and the network cuts them off. They remember what they did."""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field

from hubbub.client import Client, Room
from hubbub.errors import NotFound
from hubbub.wire.messages import MessageEvent
from hubbub.wire.rooms import Joined
from tests.chaos.kept import Row

HANDS = 2
"""How many things one person does at a time."""
EMOJI = ("👍", "🎉", "👀", "🔥", "🐙", "🌈")
PAUSE = 0.02
"""The longest pause of one hand, in seconds. Without pauses the test would only measure the machine."""


@dataclass(frozen=True)
class Said:
    """A message that somebody has an ack for."""

    room: str
    seq: int
    ts: str | None
    user: str
    key: str


@dataclass
class Memory:
    """What everybody has done, according to the acks."""

    said: dict[str, Said] = field(default_factory=dict)
    """By the message's key."""
    texts: dict[str, str] = field(default_factory=dict)
    """By the message's key: the text of its latest edit. Empty if it was deleted."""
    edited: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    reactions: dict[tuple[str, int, str, str], bool] = field(default_factory=dict)
    """By room, seq, emoji and user."""
    changes: Counter[str] = field(default_factory=Counter)
    """By room: how many changes were acked. Each takes one rev."""
    unclear: Counter[str] = field(default_factory=Counter)
    """By room: reactions to messages that were then deleted. They may have been done before that, with the ack lost."""
    deeds: Counter[str] = field(default_factory=Counter)


class Chatter:
    """Sends, edits, deletes and reacts in all rooms until told to stop, and then finishes what was begun."""

    def __init__(self, client: Client, name: str, memory: Memory, *, seed: str) -> None:
        self.client = client
        self.name = name
        self.memory = memory
        self.heard: list[tuple[str, int]] = []
        """Room and seq of each message that the client gave."""
        self.started_over = 0
        self.rooms: dict[str, Room] = {}
        self._seed = seed
        self._stop = asyncio.Event()
        self._news = asyncio.Event()

    async def enter(self, rooms: list[str]) -> None:
        for room in rooms:
            self.rooms[room] = await self.client.join(room, kept=1_000_000)

    async def chat(self) -> None:
        """Returns when everything that was begun has been answered."""
        async with asyncio.TaskGroup() as hands:
            for number in range(HANDS):
                hands.create_task(_Hand(self, f"{self._seed}/{number}", EMOJI[number::HANDS]).work(self._stop))

    async def listen(self) -> None:
        """Until the client is closed."""
        joined: set[str] = set()
        async for event in self.client:
            self._news.set()
            if isinstance(event, MessageEvent) and event.seq is not None:
                self.heard.append((event.room, event.seq))
            elif isinstance(event, Joined):
                self.started_over += event.room in joined and not event.recovered
                joined.add(event.room)

    def stop(self) -> None:
        self._stop.set()

    async def catch_up(self, heads: dict[str, int]) -> None:
        """Returns when each view is at its room's rev and goes back to the first message."""
        for key, rev in heads.items():
            room = self.rooms[key]
            while (room.view.rev or 0) < rev:
                self._news.clear()
                await self._news.wait()
            while await room.load_earlier(limit=200):
                pass

    def seen(self, room: str) -> list[Row]:
        return [row_of(message) for message in self.rooms[room].messages]


class _Hand:
    """Does one thing after the other, and changes only its own messages and emoji. So the result is known."""

    def __init__(self, chatter: Chatter, seed: str, emoji: tuple[str, ...]) -> None:
        self._chatter = chatter
        self._memory = chatter.memory
        self._random = random.Random(seed)
        self._seed = seed
        self._emoji = emoji
        self._mine: list[Said] = []
        self._count = 0

    async def work(self, stop: asyncio.Event) -> None:
        deeds = {"send": 10, "edit": 4, "delete": 1, "react": 5}
        while not stop.is_set():
            (deed,) = self._random.choices(list(deeds), list(deeds.values()))
            room = self._chatter.rooms[self._random.choice(list(self._chatter.rooms))]
            await getattr(self, f"_{deed}")(room)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._random.uniform(0, PAUSE))

    async def _send(self, room: Room) -> None:
        self._count += 1
        key = f"{self._seed}/{self._count}"
        text = f"{key} " + "x" * self._random.choice((0, 10, 100, 3000))
        ack = await room.send(text, key=key)
        assert ack.seq is not None
        assert key not in self._memory.said
        said = Said(room.key, ack.seq, ack.ts, self._chatter.name, key)
        self._memory.said[key] = said
        self._memory.texts[key] = text
        self._mine.append(said)
        self._did("send", room)

    async def _edit(self, room: Room) -> None:
        if not self._mine:
            return
        said = self._random.choice(self._mine)
        self._count += 1
        text = f"{said.key} as of {self._count}"
        await self._chatter.rooms[said.room].edit(said.seq, text)
        self._memory.texts[said.key] = text
        self._memory.edited.add(said.key)
        self._did("edit", self._chatter.rooms[said.room])

    async def _delete(self, room: Room) -> None:
        if not self._mine:
            return
        said = self._mine.pop(self._random.randrange(len(self._mine)))
        await self._chatter.rooms[said.room].delete(said.seq)
        self._memory.texts[said.key] = ""
        self._memory.deleted.add(said.key)
        self._did("delete", self._chatter.rooms[said.room])

    async def _react(self, room: Room) -> None:
        if not room.view.seq:
            return
        # Mostly the latest ones: so messages change while somebody is away.
        seq = max(1, room.view.seq - int(self._random.expovariate(0.2)))
        reaction = (room.key, seq, self._random.choice(self._emoji), self._chatter.name)
        on = not self._memory.reactions.get(reaction, False)
        try:
            await room.react(seq, reaction[2], on=on)
        except NotFound:
            self._memory.unclear[room.key] += 1
            return
        self._memory.reactions[reaction] = on
        self._did("react", room)

    def _did(self, deed: str, room: Room) -> None:
        self._memory.deeds[deed] += 1
        self._memory.changes[room.key] += 1


def row_of(message: MessageEvent) -> Row:
    assert message.seq is not None
    assert message.rev is not None
    return Row(
        message.seq,
        message.rev,
        message.user,
        message.name,
        message.text,
        message.ts,
        message.key,
        message.edited is not None,
        message.deleted is not None,
        bool(message.pinned),
        tuple((reaction.emoji, frozenset(reaction.users)) for reaction in message.reactions or ()),
    )
