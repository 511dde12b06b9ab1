"""The two loads: as fast as answers come back, and a fixed number of messages a second.

Both count every delivery, read after the last message until nothing is missing, and report what was lost.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, cycle

from bench import messages
from bench.errors import BenchError
from bench.inbox import Inbox
from bench.members import Member
from bench.server import Group, Server
from bench.systems.base import System

_PATIENCE = 10.0
"""After this many seconds without a delivery nothing more is expected."""


@dataclass(frozen=True, slots=True)
class Throughput:
    deliveries: int
    seconds: float
    cpu_of_each_server: Sequence[float]
    generator_cpu: float
    lost: int
    """Of all messages, also of those before and after the measured time."""

    @property
    def server_cpu(self) -> float:
        return sum(self.cpu_of_each_server)


@dataclass(frozen=True, slots=True)
class Latencies:
    by_member: dict[Member, list[float]]
    """Seconds from the moment when a message was due to its delivery."""
    server_cpu: float
    delivered: int
    """Including those before the measured time, as in `server_cpu` and `lost`."""
    lost: int

    @property
    def seconds(self) -> list[float]:
        """Of all deliveries, sorted."""
        return self.of(self.by_member)

    def of(self, members: Iterable[Member]) -> list[float]:
        """Of the deliveries to some of the members, sorted."""
        return sorted(chain.from_iterable(self.by_member[member] for member in members))


def percentile(seconds: Sequence[float], percent: float) -> float:
    """Of sorted values."""
    return seconds[min(int(len(seconds) * percent / 100), len(seconds) - 1)]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


class _Sender:
    __slots__ = ("acked", "answered", "came_back", "mark", "member", "witnessed")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.mark = messages.mark(member.number)
        self.came_back = self.acked = self.answered = self.witnessed = 0


class ClosedLoop:
    """W messages are outstanding at any time: not yet back at their sender or, if the system acks, not yet acked.

    The senders take turns: as soon as a message is answered, the next one goes out. So a single sender has all W
    messages outstanding.

    If a room has members on another node, each sender needs a witness: a member there who must have got the message,
    too. Otherwise the sender's node would be asked for more than the other one can deliver, and a backlog would grow
    between the two for as long as the load lasts.
    """

    def __init__(
        self,
        server: Server | Group,
        members: Sequence[Member],
        senders: Sequence[Member],
        witnesses: Sequence[Member] = (),
    ) -> None:
        self._server, self._system = server, server.system
        self._inbox = Inbox(members, self._system.end)
        self._audience = Counter(member.room for member in members)
        self._senders = {member.fd: _Sender(member) for member in senders}
        self._witnesses = {
            witness.fd: self._senders[sender.fd] for witness, sender in zip(witnesses, senders, strict=bool(witnesses))
        }
        self._turns = cycle(senders)
        self._sending = True
        self._outstanding = 0
        self._expected = 0
        self._delivered = 0

    def close(self) -> None:
        self._inbox.close()

    def run(self, *, outstanding: int, warm_up: float, seconds: float) -> Throughput:
        with no_garbage_collection():
            for _ in range(outstanding):
                self._send_next()
            self._read_until(time.perf_counter() + warm_up)
            cpu_before, generator_cpu = self._server.cpu_seconds_of_each(), time.process_time()
            began, before = time.perf_counter(), self._delivered
            self._read_until(began + seconds)
            ended, after = time.perf_counter(), self._delivered
            if after == before:
                raise BenchError(f"nothing was delivered in {seconds:g} s: {self._server.last_words()}")
            cpu_after = self._server.cpu_seconds_of_each()
            generator_cpu = time.process_time() - generator_cpu
            self._sending = False
            self._read_the_rest()
        return Throughput(
            deliveries=after - before,
            seconds=ended - began,
            cpu_of_each_server=[after - before for before, after in zip(cpu_before, cpu_after, strict=True)],
            generator_cpu=generator_cpu,
            lost=self._expected - self._delivered,
        )

    def _send_next(self) -> None:
        member = next(self._turns)
        self._outstanding += 1
        self._expected += self._audience[member.room]
        say(self._system, member, stamp=time.perf_counter_ns())

    def _read_until(self, moment: float) -> None:
        while (left := moment - time.perf_counter()) > 0:
            self._read(left)

    def _read_the_rest(self) -> None:
        heard = time.perf_counter()
        while self._delivered < self._expected or self._outstanding:
            if self._read(_PATIENCE):
                heard = time.perf_counter()
            elif time.perf_counter() - heard > _PATIENCE:
                return

    def _read(self, timeout: float) -> bool:
        inbox, senders, witnesses, marker = self._inbox, self._senders, self._witnesses, messages.MARKER
        read, count = inbox.read, inbox.data.count
        ready = inbox.ready(timeout)
        delivered = 0
        for member in ready:
            size = read(member)
            delivered += count(marker, 0, size)
            if member.fd in senders:
                self._hear_answers(senders[member.fd], size)
            elif member.fd in witnesses:
                self._hear_witness(witnesses[member.fd], size)
        self._delivered += delivered
        return bool(ready)

    def _hear_answers(self, sender: _Sender, size: int) -> None:
        data, ack = self._inbox.data, self._system.ack
        sender.came_back += data.count(sender.mark, 0, size)
        sender.acked = sender.came_back if ack is None else sender.acked + data.count(ack, 0, size)
        if not self._witnesses:
            sender.witnessed = sender.came_back
        self._answered(sender)

    def _hear_witness(self, sender: _Sender, size: int) -> None:
        sender.witnessed += self._inbox.data.count(sender.mark, 0, size)
        self._answered(sender)

    def _answered(self, sender: _Sender) -> None:
        answered = min(sender.came_back, sender.acked, sender.witnessed)
        for _ in range(answered - sender.answered):
            self._outstanding -= 1
            if self._sending:
                self._send_next()
        sender.answered = answered


def fixed_rate(
    server: Server | Group,
    members: Sequence[Member],
    senders: Sequence[Member] = (),
    *,
    per_second: float,
    warm_up: float,
    seconds: float,
    patience: float = _PATIENCE,
) -> Latencies:
    """The senders, or all members, take turns. Each message is sent when it is due, even if the last one is late.

    A delivery's latency counts from that moment, so a server that falls behind cannot hide it.
    """
    latencies: dict[Member, list[float]] = {member: [] for member in members}
    senders = senders or members
    expected = delivered = turn = 0
    interval = 1e9 / per_second
    with no_garbage_collection(), closing(Inbox(members, server.system.end)) as inbox:
        began = time.perf_counter_ns()
        measured_from, ends = began + warm_up * 1e9, began + (warm_up + seconds) * 1e9
        cpu = server.cpu_seconds()
        heard = began
        while True:
            now = time.perf_counter_ns()
            due = int(began + turn * interval)
            if due < ends and now >= due:
                say(server.system, senders[turn * 7919 % len(senders)], stamp=due)
                expected += len(members)
                turn += 1
                continue
            if due >= ends and (delivered >= expected or now - heard > patience * 1e9):
                break
            # epoll counts in milliseconds, so the last two before a message is due are spent polling.
            ready = inbox.ready(max(0.0, min((due - now) / 1e9 - 0.002, 0.1)) if due < ends else 0.1)
            for member in ready:
                size = inbox.read(member)
                arrived = heard = time.perf_counter_ns()
                for stamp in messages.stamps(bytes(inbox.data[:size])):
                    delivered += 1
                    if stamp >= measured_from:
                        latencies[member].append((arrived - stamp) / 1e9)
        cpu = server.cpu_seconds() - cpu
    if not any(latencies.values()):
        raise BenchError(f"nothing was delivered: {server.last_words()}")
    return Latencies(by_member=latencies, server_cpu=cpu, delivered=delivered, lost=expected - delivered)


def say(system: System, sender: Member, *, stamp: int) -> None:
    data = system.message(sender.room, messages.text(sender.number, stamp), number=stamp)
    if sender.send(data) != len(data):
        raise BenchError(f"{system.name} does not read what member {sender.number} sends")
