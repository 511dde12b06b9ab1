"""Traffic while servers are replaced: people who talk, and somebody who knocks at the door again and again."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from hubbub.client import Client
from tests.chaos.people import Chatter, Memory
from tests.waiting import eventually

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
SETTLING = 60.0
"""Seconds for everybody to come back and catch up in the end."""
BETWEEN_KNOCKS = 0.01


@dataclass
class Knocks:
    """What somebody met who connects again and again, each time to ask for one short answer."""

    answers: int = 0
    refused: list[str] = field(default_factory=list)
    """Connects that the system or the server refused."""
    unanswered: int = 0
    """Those that were accepted, and closed before their request was answered."""
    longest: float = 0.0
    """Seconds from a connect to its answer."""

    async def knock(self, port: int) -> None:
        began = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            self.refused.append(repr(error))
            return
        answer = b""
        with contextlib.closing(writer), contextlib.suppress(OSError):
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        if answer.startswith(b"HTTP/1.1 200 "):
            self.answers += 1
            self.longest = max(self.longest, time.monotonic() - began)
        elif answer:
            self.refused.append(answer[:40].decode())
        else:
            self.unanswered += 1

    async def go_on(self, port: int) -> None:
        while True:
            await self.knock(port)
            await asyncio.sleep(BETWEEN_KNOCKS)


@dataclass
class Conversation:
    rooms: list[str]
    memory: Memory = field(default_factory=Memory)
    chatters: list[Chatter] = field(default_factory=list)
    knocks: Knocks = field(default_factory=Knocks)

    async def goes_on(self, deeds: int = 30) -> None:
        """Returns when as many more things were said and acked."""
        wanted = self.memory.deeds.total() + deeds
        await eventually(lambda: self.memory.deeds.total() >= wanted, deadline=SETTLING)

    def check(self) -> None:
        """Nothing is lost, doubled or reordered, and all see the same."""
        for room in self.rooms:
            first, *others = [chatter.seen(room) for chatter in self.chatters]
            assert all(rows == first for rows in others)
            assert [row.seq for row in first] == list(range(1, len(first) + 1))
            acked = {said.key: self.memory.texts[said.key] for said in self.memory.said.values() if said.room == room}
            assert {row.key: row.text for row in first} == acked
            assert len(first) == len(acked)
        for chatter in self.chatters:
            assert max(Counter(chatter.heard).values()) == 1
            assert chatter.started_over == 0


@asynccontextmanager
async def conversation(
    addresses: Sequence[str], knocking_at: int, *, people: int = 4, rooms: Sequence[str] = ("hall", "garden")
) -> AsyncIterator[Conversation]:
    """People who chat at these addresses until the block ends; then all have been answered and have caught up."""
    talk = Conversation(list(rooms))
    async with AsyncExitStack() as stack:
        for number, name in enumerate(NAMES[:people]):
            address = addresses[number % len(addresses)]
            client = await stack.enter_async_context(Client(address, username=name, first_wait=0.05, longest_wait=1.0))
            chatter = Chatter(client, name, talk.memory, seed=f"talk/{name}")
            await chatter.enter(talk.rooms)
            talk.chatters.append(chatter)
        async with asyncio.TaskGroup() as tasks:
            knocking = tasks.create_task(talk.knocks.go_on(knocking_at))
            listening = [tasks.create_task(chatter.listen()) for chatter in talk.chatters]
            chatting = [tasks.create_task(chatter.chat()) for chatter in talk.chatters]
            yield talk
            knocking.cancel()
            async with asyncio.timeout(SETTLING):
                for chatter in talk.chatters:
                    chatter.stop()
                await asyncio.wait(chatting)
                first = talk.chatters[0].rooms
                heads = {room: (await first[room].history(limit=1)).rev for room in talk.rooms}
                for chatter in talk.chatters:
                    await chatter.catch_up(heads)
            for chatter in talk.chatters:
                await chatter.client.close()
            await asyncio.wait(listening)
