"""Nodes that share a presence on a real Redis, whose every step is the test's to take, to lose or to leave out."""

from importlib.resources import files
from typing import Any

import ormsgpack

from hubbub.presence.replica import Replica, Standing, Step
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

SCRIPT = files("hubbub.presence").joinpath("step.lua").read_text("utf-8")
PREFIX = "test:"
LEASE = 600_000
"""Milliseconds. No lease runs out but where the test says so."""


def person(number: int) -> User:
    return User(f"User-{number}", f"User {number}")


class Heard:
    """What a node's connections are told, checked for sense: nobody comes twice, or goes without having come."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, int]] = []
        self.shown: dict[str, set[str]] = {}
        self.counted_channels: set[str] = set()

    def user_joined(self, channel: str, user: User, online: int) -> None:
        self.events.append(("joined", user.key, online))
        shown = self.shown.setdefault(channel, set())
        assert channel in self.counted_channels or fold(user.key) not in shown, f"{user.key} comes twice"
        shown.add(fold(user.key))

    def look_changed(self, channel: str, user: User, online: int) -> None:
        self.events.append(("looks different", user.key, online))

    def user_left(self, channel: str, user: User, online: int) -> None:
        self.events.append(("left", user.key, online))
        shown = self.shown.setdefault(channel, set())
        assert channel in self.counted_channels or fold(user.key) in shown, f"{user.key} goes, and was not there"
        shown.discard(fold(user.key))

    def count_changed(self, channel: str) -> None:
        self.events.append(("counted", channel, 0))
        self.counted_channels.add(channel)

    def take(self) -> list[tuple[str, str, int]]:
        events, self.events = self.events, []
        return events


class Node:
    """One node, with a clock that the test moves."""

    def __init__(self, name: str, client: Any) -> None:
        self.name = name
        self.client = client
        self.now = 1000.0
        self.heard = Heard()
        self.replica = Replica(name, clock=lambda: self.now, audience=self.heard)
        self._script = client.register_script(SCRIPT)

    def enter(self, channel: str, user: User) -> None:
        if channel not in self.replica._own:
            # Who comes first is told by `joined` who is there.
            self.heard.shown.pop(channel, None)
            self.heard.counted_channels.discard(channel)
        self.replica.enter(channel, user)

    def exit(self, channel: str, user: User) -> None:
        self.replica.exit(channel, user)

    def step(self) -> bool:
        """Take a step. True if there was a dead node to take out."""
        step = self.replica.step()
        reply = self.do(step)
        if reply is None:
            self.replica.lost()
            return True
        busy, run, heard = reply
        happened = [what for packed in heard for what in ormsgpack.unpackb(packed)]
        self._take_note(happened)
        self.replica.heard(step, run.decode(), happened, is_over=not busy)
        return bool(busy)

    def step_without_answer(self) -> None:
        self.do(self.replica.step())
        self.replica.lost()

    def step_that_never_comes(self) -> None:
        self.replica.step()
        self.replica.lost()

    def do(self, step: Step) -> Any:
        arguments = [PREFIX, step.node, LEASE, int(step.begins), ormsgpack.packb(step.operations)]
        return self._script(args=arguments)

    def let_lease_run_out(self) -> None:
        """Also those of its former names."""
        for name in self.client.zrange(f"{PREFIX}leases", 0, -1):
            if name.decode().startswith(f"{self.name}."):
                self.client.zadd(f"{PREFIX}leases", {name: 1})

    @property
    def is_quiet(self) -> bool:
        return self.replica.standing is Standing.PRESENT and not self.replica._untold

    def shown(self, channel: str) -> list[str]:
        crowd = self.replica.crowd(channel)
        assert crowd is not None
        return [user.user for user in crowd.users()]

    def online(self, channel: str) -> int:
        crowd = self.replica.crowd(channel)
        assert crowd is not None
        return crowd.online

    def _take_note(self, happened: list[Any]) -> None:
        """The first picture of a channel is no event: those who join are told by `joined`."""
        for what, channel, *rest in happened:
            if what == "watched" and self.replica.crowd(channel) is None:
                self.heard.shown[channel] = set(rest[1][::2])


def settle(*nodes: Node) -> None:
    """Let all that is under way arrive."""
    quiet = 0
    for _ in range(200):
        if quiet == 3:
            return
        for node in nodes:
            node.now += 2
        busy = [node.step() for node in nodes]
        is_quiet = not any(busy) and all(node.is_quiet for node in nodes)
        quiet = quiet + 1 if is_quiet else 0
    raise AssertionError("the nodes do not come to rest")
