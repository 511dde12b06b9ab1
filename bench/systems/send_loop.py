"""The wall: C, no protocol, one `send()` per delivery."""

from __future__ import annotations

from collections.abc import Sequence

from bench import install
from bench.systems.base import Step, System


class SendLoop(System):
    name = "c"
    title = "C loop of send()"
    # It keeps nothing per connection and knows one room.
    scenarios = frozenset({"fanout", "latency"})
    end = b"\n"

    def missing(self) -> str | None:
        return None if install.compiler() else "there is no C compiler on this machine"

    def command(self, port: int) -> Sequence[str]:
        return [str(install.compiled("send_loop.c")), str(port)]

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        return [Step(b"HELLO\n", until=b"JOINED\n")]

    def message(self, room: str, text: str, number: int) -> bytes:
        return text.encode() + b"\n"

    def version(self) -> str:
        return install.output_of(install.compiler() or "cc", "--version").splitlines()[0]
