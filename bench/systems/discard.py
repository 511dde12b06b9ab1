"""The control of an attack: the attackers attack a server beside Hubbub that discards everything."""

from __future__ import annotations

from collections.abc import Sequence

from bench import programs, websocket
from bench.systems.base import Step, System, upgraded
from bench.systems.hubbub import HubbubUnderAttack


class Discard(System):
    """Receives and discards everything, in C."""

    name = "discard"
    title = "a server that discards"
    scenarios = frozenset()

    def command(self, port: int) -> Sequence[str]:
        return [str(programs.compiled("discard.c")), str(port)]

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        return [upgraded("/", port)]

    def message(self, room: str, text: str, number: int) -> bytes:
        return text.encode()

    def expensive_command(self) -> bytes:
        # Any command: its content does not matter.
        return websocket.frame(b'{"type":"join","room":"room1","limit":200}')

    def version(self) -> str:
        return programs.output_of(programs.compiler() or "cc", "--version").splitlines()[0]


class Control(HubbubUnderAttack):
    """Hubbub, while another server on its core is attacked."""

    name = "control"
    title = "control: another server is attacked"
    decoy = Discard

    def missing(self) -> str | None:
        return None if programs.compiler() else "there is no C compiler on this machine"
