"""Reads what a server sends to thousands of members, through one buffer, without parsing it."""

from __future__ import annotations

import select
from collections.abc import Sequence

from bench.errors import BenchError
from bench.members import Member

_CAPACITY = 1 << 18
# Few enough, so that the next message or the end is not delayed.
_AT_ONCE = 128


class Inbox:
    """`ready` tells which members have data; `read` puts complete deliveries of one member into `data`."""

    def __init__(self, members: Sequence[Member], end: bytes) -> None:
        """`end` is the byte that follows each text: see `System.end`."""
        self.data = bytearray(_CAPACITY)
        self._view = memoryview(self.data)
        self._end, self._end_byte = end, end[0]
        self._members = {member.fd: member for member in members}
        self._more: list[Member] = []
        self._poll = select.epoll()
        for member in members:
            self._poll.register(member.fd, select.EPOLLIN | select.EPOLLET)

    def close(self) -> None:
        self._poll.close()

    def ready(self, timeout: float) -> list[Member]:
        """The members with data to read, after at most `timeout` seconds. Each of them must be read."""
        more, self._more = self._more, []
        members = self._members
        found = self._poll.poll(0 if more else timeout, _AT_ONCE)
        return [members[fd] for fd, _ in found] + more

    def read(self, member: Member) -> int:
        """Returns how many bytes of `data` hold complete deliveries; the rest waits for the next read."""
        unread = member.unread
        try:
            if unread:
                self.data[: len(unread)] = unread
                size = len(unread) + member.receive_into(self._view[len(unread) :])
            else:
                size = member.receive_into(self._view)
        except BlockingIOError:
            return 0
        if size == len(unread):
            raise BenchError(f"the server closed the connection of member {member.number}")
        if size == _CAPACITY:
            # The edge-triggered poll does not report the remaining data again.
            self._more.append(member)
        ends_whole = self.data[size - 1] == self._end_byte
        whole = size if ends_whole else self.data.rfind(self._end, 0, size) + 1
        if unread or whole < size:
            member.unread = bytes(self._view[whole:size])
        return whole
