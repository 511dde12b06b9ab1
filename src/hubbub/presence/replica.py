"""A node's replica of the presence that nodes share: whom it has, what it has told of that, and what it has heard.

It knows steps and time, and no Redis: `step` gives what the node has to tell, `heard` takes the answer, `lost` says
that there was none. The shared presence is a log: the operations of a step are applied together, and each node hears
what happened in the order of the log, also what its own operations did. So all nodes see the same, and no node
announces for another one.

There is one way back from a lost answer, from a lease that ran out, and from a server that was emptied: the node begins
again under another name. It enters its people, ends its former name, and then compares its channels with the log. What
is different from what it showed is announced here. Its people are under both names at first, so no other node
hears of it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from hubbub.presence.base import Audience
from hubbub.presence.crowd import NAMED_UP_TO, Crowd
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

OPERATIONS = 500
"""The most in one step, about: it keeps the server busy for a few milliseconds."""
COMPARISONS = 50
"""The most channels that are compared in one step. Each answer may have a hundred people."""
LARGE_EVERY = 1.0
"""Seconds for which this node gathers what has changed in a large channel before it tells that."""
SETTLING = 15.0
"""Seconds after the server was emptied or started in which other nodes may not have entered their people yet."""
OTHERS_KEPT = 60.0
"""Seconds for which the others' people are shown while the server cannot be asked about them."""
FORMER_NAMES = 16

Operation = list[str]


class Standing(StrEnum):
    ALONE = "alone"
    """The server cannot be asked. What this node has is shown at once, and told later."""
    ENTERING = "entering"
    """The node has begun under a new name, and enters its people."""
    PRESENT = "present"
    """The others know all its people under this name, and nobody under a former one."""


class Signal(StrEnum):
    BEGIN = "begin"
    """A step that begins was answered."""
    ENTER_ALL = "enter all"
    """All people were told, and the former names have ended."""
    LOSE = "lose"
    """A step got no answer, or its node has no lease any more."""


TRANSITIONS: dict[tuple[Standing, Signal], Standing] = {
    (Standing.ALONE, Signal.BEGIN): Standing.ENTERING,
    # The step that lost its answer was one that begins.
    (Standing.ALONE, Signal.LOSE): Standing.ALONE,
    (Standing.ENTERING, Signal.ENTER_ALL): Standing.PRESENT,
    (Standing.ENTERING, Signal.LOSE): Standing.ALONE,
    (Standing.PRESENT, Signal.LOSE): Standing.ALONE,
}


@dataclass(frozen=True, slots=True)
class Step:
    node: str
    begins: bool
    operations: list[Operation]


class Replica:
    """The channels of one server, as one node sees them. `clock` gives seconds that never jump.

    No more than one step may be on its way.
    """

    def __init__(self, node: str, *, clock: Callable[[], float], audience: Audience) -> None:
        self._id = node
        self._clock = clock
        self._audience = audience
        self.standing = Standing.ALONE
        self._alone_since = clock()
        self._names_used = 0
        self._former_names: deque[str] = deque(maxlen=FORMER_NAMES)
        """Names of this node that may still have people."""
        self._own: dict[str, dict[str, User]] = {}
        """By channel, whom this node has."""
        self._crowds: dict[str, Crowd] = {}
        """By channel, whom all nodes have."""
        self._untold: dict[str, dict[str, None]] = {}
        """By channel, the keys of users of whom the others were not told yet what `_own` says."""
        self._gathering: dict[str, float] = {}
        """Those of `_untold` that are large, and when to tell what was gathered there."""
        self._watched: set[str] = set()
        """Channels of which this node hears."""
        self._compare_at: dict[str, float] = {}
        """Channels whose crowd is to be compared with the log again, and when; 0.0 means at once."""
        self._has_told_all = False
        """Whether the latest step told all changes that were known when it was made."""
        self._memory = ""
        """The server's name for what it knows: another one after it was emptied or started."""
        self._settled_at = 0.0

    def _change(self, signal: Signal) -> None:
        try:
            self.standing = TRANSITIONS[self.standing, signal]
        except KeyError:
            raise RuntimeError(f"a node that is {self.standing.value} cannot {signal.value}") from None

    @property
    def is_alone(self) -> bool:
        return self.standing is Standing.ALONE

    @property
    def node(self) -> str:
        """The name under which this node has begun last."""
        return f"{self._id}.{self._names_used}"

    def crowd(self, channel: str) -> Crowd | None:
        return self._crowds.get(channel)

    def channels(self) -> Iterable[str]:
        """Those in which this node has somebody."""
        return self._crowds

    def is_told(self, channel: str) -> bool:
        """Whether the next step need not tell anything of a channel."""
        return self.is_alone or channel not in self._untold or channel in self._gathering

    def is_stale(self, channel: str) -> bool:
        """Whether this node waits for its first list of a channel's people since it entered somebody there or began."""
        is_new = channel in self._own and channel not in self._crowds
        return not self.is_alone and (is_new or self._compare_at.get(channel) == 0.0)

    # Whom this node has.

    def enter(self, channel: str, user: User) -> None:
        key = fold(user.key)
        self._own.setdefault(channel, {})[key] = user
        self._note(channel, key)
        if self.is_alone:
            self._add(channel, key, user)

    def exit(self, channel: str, user: User) -> None:
        key = fold(user.key)
        own = self._own.get(channel, {})
        if own.pop(key, None) is None:
            return
        self._note(channel, key)
        if not own:
            # Nobody here listens any more.
            del self._own[channel]
            self._crowds.pop(channel, None)
            self._gathering.pop(channel, None)
            self._compare_at.pop(channel, None)
        elif self.is_alone:
            self._remove(channel, key)

    def _note(self, channel: str, key: str) -> None:
        self._untold.setdefault(channel, {})[key] = None
        crowd = self._crowds.get(channel)
        if crowd is not None and crowd.many is not None and channel not in self._gathering:
            self._gathering[channel] = self._clock() + LARGE_EVERY

    # What is told.

    @property
    def is_urgent(self) -> bool:
        """Whether there is something that should be told at once."""
        return self.standing is not Standing.PRESENT or len(self._untold) > len(self._gathering)

    def step(self) -> Step:
        """What to tell next. Call it now and then also without news: a step renews the lease."""
        if self.is_alone:
            self._names_used += 1
            return Step(self.node, begins=True, operations=[])
        return Step(self.node, begins=False, operations=list(self._operations()))

    def _operations(self) -> Iterator[Operation]:
        now, left = self._clock(), OPERATIONS
        self._has_told_all = False
        for channel in list(self._untold):
            if self._gathering.get(channel, now) <= now or self.standing is Standing.ENTERING:
                told = list(self._tell(channel, left))
                yield from told
                left -= len(told)
                if left <= 0:
                    return
        self._has_told_all = True
        if self.standing is Standing.ENTERING:
            yield from (["end", name] for name in self._former_names)
        else:
            yield from self._compare([channel for channel, at in self._compare_at.items() if at <= now])

    def _tell(self, channel: str, most: int) -> Iterator[Operation]:
        untold, own = self._untold[channel], self._own.get(channel, {})
        if own and channel not in self._crowds:
            # First of all, so that this node hears what it tells next as all others hear it.
            yield self._watch(channel)
        for key in list(untold)[:most]:
            del untold[key]
            user = own.get(key)
            yield ["exit", channel, key] if user is None else ["enter", channel, key, _info(user)]
        if untold:
            return
        del self._untold[channel]
        self._gathering.pop(channel, None)
        if channel in self._watched and not own:
            self._watched.discard(channel)
            yield ["unwatch", channel]

    def _compare(self, due: Iterable[str]) -> Iterator[Operation]:
        for channel in islice(due, COMPARISONS):
            del self._compare_at[channel]
            yield self._watch(channel)

    def _watch(self, channel: str) -> Operation:
        self._watched.add(channel)
        return ["watch", channel]

    # What is heard.

    def heard(self, step: Step, memory: str, happened: Iterable[Any], *, is_over: bool) -> None:
        """The answer to the latest step: the name of the server's memory if the node began, what happened, and whether
        no people of dead nodes are left to be taken out."""
        if step.begins:
            self._begin(memory)
        elif self.standing is Standing.ENTERING and is_over and self._has_told_all:
            self._change(Signal.ENTER_ALL)
            self._former_names.clear()
        for what, channel, *rest in happened:
            # What is heard of a channel before the answer to `watch` is older than that answer.
            if channel in self._crowds or (channel in self._own and what == "watched"):
                _HEARD[what](self, channel, *rest)

    def lost(self) -> None:
        """There is no answer to the latest step, which may have been done or not; or its node has no lease any more."""
        self._former_names.append(self.node)
        was_alone = self.is_alone
        self._change(Signal.LOSE)
        if was_alone:
            return
        self._alone_since = self._clock()
        self._gathering.clear()
        self._watched.clear()
        for channel, own in self._own.items():
            if channel not in self._crowds or self._knows_all(channel):
                for key, user in own.items():
                    self._add(channel, key, user)
        for channel, untold in self._untold.items():
            for key in untold.keys() - self._own.get(channel, {}).keys():
                self._remove(channel, key)

    def tick(self) -> None:
        """Call it about once a second."""
        if not self.is_alone or self._clock() - self._alone_since < OTHERS_KEPT:
            return
        for channel, crowd in list(self._crowds.items()):
            own = self._own[channel]
            if crowd.many is not None:
                crowd.replace(dict(own), None)
                self._audience.count_changed(channel)
            for key in crowd.people.keys() - own.keys():
                self._remove(channel, key)

    def _begin(self, memory: str) -> None:
        self._change(Signal.BEGIN)
        if self._memory not in {"", memory}:
            self._settled_at = self._clock() + SETTLING
        self._memory = memory
        self._untold = {channel: dict.fromkeys(own) for channel, own in self._own.items()}
        self._compare_at = dict.fromkeys(self._crowds, 0.0)

    def _hear_picture(self, channel: str, online: int, listed: list[str]) -> None:
        if online > NAMED_UP_TO:
            self._hear_count(channel, online, _people(listed))
        else:
            self._hear_all(channel, _people(listed))

    def _hear_count(self, channel: str, online: int, first: dict[str, User]) -> None:
        crowd = self._crowds.setdefault(channel, Crowd())
        before = crowd.online
        if online < before and self._is_settling(channel):
            return
        crowd.replace(first, online)
        if online != before:
            self._audience.count_changed(channel)

    def _hear_all(self, channel: str, people: dict[str, User]) -> None:
        crowd = self._crowds.get(channel)
        if crowd is None:
            crowd = self._crowds[channel] = Crowd()
            crowd.replace(people, None)
        elif crowd.many is not None:
            if not self._is_settling(channel):
                self._gathering.pop(channel, None)
                crowd.replace(people, None)
                self._audience.count_changed(channel)
        else:
            is_settling = self._is_settling(channel)
            if not is_settling:
                for key in crowd.people.keys() - people.keys():
                    self._remove(channel, key)
            for key, user in people.items():
                self._add(channel, key, user)
            if not is_settling:
                crowd.replace(people, None)

    def _hear_joined(self, channel: str, key: str, info: str) -> None:
        if self._knows_all(channel):
            self._add(channel, key, read_info(info))

    def _hear_left(self, channel: str, key: str, _: str) -> None:
        if self._knows_all(channel):
            self._remove(channel, key)

    def _knows_all(self, channel: str) -> bool:
        return self._crowds[channel].many is None

    def _is_settling(self, channel: str) -> bool:
        """Whether somebody who is missing may only not have been entered again yet. Then the channel is compared
        later."""
        if self._clock() >= self._settled_at:
            return False
        self._compare_at[channel] = self._settled_at
        return True

    # What is shown, and announced.

    def _add(self, channel: str, key: str, user: User) -> None:
        crowd = self._crowds.setdefault(channel, Crowd())
        known = crowd.people.get(key)
        if known is not None and known.identity != user.identity:
            # Somebody else has the key now.
            self._remove(channel, key)
        looks_different = crowd.looks_different(key, user)
        if crowd.add(key, user):
            if crowd.many is not None:
                crowd.many += 1
        else:
            if looks_different:
                self._audience.look_changed(channel, user, crowd.online)
            return
        if crowd.online > NAMED_UP_TO:
            self._audience.count_changed(channel)
        else:
            self._audience.user_joined(channel, user, crowd.online)

    def _remove(self, channel: str, key: str) -> None:
        crowd = self._crowds.get(channel)
        if crowd is None:
            return
        user = crowd.remove(key)
        if crowd.many is not None:
            crowd.many -= 1
        elif user is None:
            return
        if user is None or crowd.online >= NAMED_UP_TO:
            self._audience.count_changed(channel)
        else:
            self._audience.user_left(channel, user, crowd.online)


_HEARD: dict[str, Callable[..., None]] = {
    "watched": Replica._hear_picture,
    "picture": Replica._hear_picture,
    "joined": Replica._hear_joined,
    "changed": Replica._hear_joined,
    "left": Replica._hear_left,
}


def _info(user: User) -> str:
    shown = [user.key, user.name, int(user.guest), user.identity]
    return json.dumps(shown if user.color is None else [*shown, user.color])


def read_entry(entry: bytes) -> User:
    """The user from an entry in Redis: the nodes that have them, and what `_info` made."""
    return read_info(entry.split(b"\n", 1)[1])


def read_info(info: str | bytes) -> User:
    """The user from what `_info` made."""
    key, name, guest, identity, *color = json.loads(info)
    return User(key, name, guest=bool(guest), identity=identity, color=next(iter(color), None))


def _people(listed: list[str]) -> dict[str, User]:
    return {key: read_info(info) for key, info in zip(listed[::2], listed[1::2], strict=True)}
