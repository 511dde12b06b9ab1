"""The limit of one `send()` per delivery: C, without a protocol."""

from __future__ import annotations

from collections.abc import Sequence

from bench import programs
from bench.systems.base import Step, System


class SendLoop(System):
    name = "c"
    title = "C loop of send()"
    # It keeps nothing per connection and knows one room.
    scenarios = frozenset({"fanout", "latency"})
    end = b"\n"

    def missing(self) -> str | None:
        return None if programs.compiler() else "there is no C compiler on this machine"

    def command(self, port: int) -> Sequence[str]:
        return [str(programs.compiled("send_loop.c")), str(port)]

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        return [Step(b"HELLO\n", until=b"JOINED\n")]

    def message(self, room: str, text: str, number: int) -> bytes:
        return text.encode() + b"\n"

    def version(self) -> str:
        return programs.output_of(programs.compiler() or "cc", "--version").splitlines()[0]
