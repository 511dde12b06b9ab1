"""One node's part in a presence that nodes share: whom it has, what it has told of that, and what it has heard.

It knows steps and time, and no Redis: `step` gives what is to be said next, `heard` takes the answer, `lost` says that
there was none. The shared state is a log: each step's operations are done as one, and each node hears what happened in
that order, its own operations included. So all nodes see the same, and nothing depends on who announces what.

There is one way back from whatever goes wrong (a lost answer, a lease that ran out, a server that was emptied): the
node begins again under another name. It tells whom it has, has its former name ended, and then looks at its channels;
what is different from what it showed is announced here. Its people are on both names at first, so nobody elsewhere
hears of that.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hubbub.presence.base import Audience
from hubbub.presence.crowd import NAMED_UP_TO, Crowd
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

OPERATIONS = 500
"""In one step, about: it keeps the server from others for a few milliseconds."""
LARGE_EVERY = 1.0
"""Seconds between two tellings of what has changed in a channel of many."""
SETTLING = 15.0
"""Seconds after the server was emptied or started in which other nodes may not have told yet whom they have."""
OTHERS_KEPT = 60.0
"""Seconds for which the others' people are shown while nobody can be asked about them."""
LOOKS = 50
"""In one step. Each may give a hundred people."""
FORMER = 16

Operation = list[str]


@dataclass(frozen=True, slots=True)
class Step:
    node: str
    begins: bool
    operations: list[Operation]


class Shared:
    """The channels of one server, as one node sees them. `clock` gives seconds that never jump.

    No more than one step may be on its way.
    """

    def __init__(self, node: str, *, clock: Callable[[], float], audience: Audience) -> None:
        self._name = node
        self._clock = clock
        self._audience = audience
        self._mine: dict[str, dict[str, User]] = {}
        self._crowds: dict[str, Crowd] = {}
        self._untold: dict[str, dict[str, None]] = {}
        """By channel, the keys of users for whom the others were not told yet what `_mine` says."""
        self._large_due: dict[str, float] = {}
        """When to tell what has changed in channels of many."""
        self._looked: set[str] = set()
        """Channels that we hear of."""
        self._look_at: dict[str, float] = {}
        """Channels whose crowd is to be compared with all nodes' again, and from when on."""
        self._life = 0
        self._former: deque[str] = deque(maxlen=FORMER)
        """The names of this node that may still have people."""
        self._tells_all = False
        """Whether the latest step told all changes that were known when it was made."""
        self._is_back = False
        """Whether the others know all our people under our present name, and nobody under a former one."""
        self._run = ""
        self._settled_at = 0.0
        self._alone_since: float | None = clock()
        """Since when nobody can be asked; None while connected."""

    @property
    def is_connected(self) -> bool:
        return self._alone_since is None

    @property
    def node(self) -> str:
        """The name under which this node has begun last."""
        return f"{self._name}.{self._life}"

    def crowd(self, channel: str) -> Crowd | None:
        return self._crowds.get(channel)

    def is_told(self, channel: str) -> bool:
        """Whether the next step need not tell anything of a channel."""
        return not self.is_connected or channel not in self._untold or channel in self._large_due

    def is_stale(self, channel: str) -> bool:
        """Whether this node waits for its first list of a channel's people since it entered somebody there or began."""
        is_new = channel in self._mine and channel not in self._crowds
        return self.is_connected and (is_new or self._look_at.get(channel) == 0.0)

    # Whom this node has.

    def enter(self, channel: str, user: User) -> None:
        key = fold(user.key)
        self._mine.setdefault(channel, {})[key] = user
        self._changed(channel, key)
        if not self.is_connected:
            self._add(channel, key, user)

    def exit(self, channel: str, user: User) -> None:
        key = fold(user.key)
        mine = self._mine.get(channel, {})
        if mine.pop(key, None) is None:
            return
        self._changed(channel, key)
        if not mine:
            # Nobody here listens any more.
            del self._mine[channel]
            self._crowds.pop(channel, None)
            self._large_due.pop(channel, None)
            self._look_at.pop(channel, None)
        elif not self.is_connected:
            self._remove(channel, key)

    def _changed(self, channel: str, key: str) -> None:
        self._untold.setdefault(channel, {})[key] = None
        crowd = self._crowds.get(channel)
        if crowd is not None and crowd.many is not None and channel not in self._large_due:
            self._large_due[channel] = self._clock() + LARGE_EVERY

    # What is said.

    @property
    def is_urgent(self) -> bool:
        """Whether there is something that should be said at once."""
        return not self.is_connected or not self._is_back or len(self._untold) > len(self._large_due)

    def step(self) -> Step:
        """What to say next. It is said at least once in a while, since it renews the lease."""
        if not self.is_connected:
            self._life += 1
            return Step(self.node, begins=True, operations=[])
        return Step(self.node, begins=False, operations=list(self._operations()))

    def _operations(self) -> Iterator[Operation]:
        now, left = self._clock(), OPERATIONS
        self._tells_all = False
        for channel in list(self._untold):
            if self._large_due.get(channel, now) <= now or not self._is_back:
                told = list(self._tell(channel, left))
                yield from told
                left -= len(told)
                if left <= 0:
                    return
        self._tells_all = True
        if not self._is_back:
            yield from (["r", former] for former in self._former)
        else:
            for channel in islice([channel for channel, due in self._look_at.items() if due <= now], LOOKS):
                del self._look_at[channel]
                self._looked.add(channel)
                yield ["l", channel]

    def _tell(self, channel: str, most: int) -> Iterator[Operation]:
        untold, mine = self._untold[channel], self._mine.get(channel, {})
        if mine and channel not in self._crowds:
            # First of all, so that what we say next is heard here as it is by all others.
            self._looked.add(channel)
            yield ["l", channel]
        for key in list(untold)[:most]:
            del untold[key]
            user = mine.get(key)
            yield ["x", channel, key] if user is None else ["e", channel, key, _info(user)]
        if untold:
            return
        del self._untold[channel]
        self._large_due.pop(channel, None)
        if channel in self._looked and not mine:
            self._looked.discard(channel)
            yield ["f", channel]

    # What is heard.

    def heard(self, step: Step, run: str, happened: Iterable[Any], *, is_over: bool) -> None:
        """The answer to the latest step: which run of the server it is if the node began, what happened, and whether
        all is done that the server had to do."""
        if step.begins:
            self._begin(run)
        elif not self._is_back and is_over and self._tells_all:
            self._is_back = True
            self._former.clear()
        for what, channel, *rest in happened:
            # Before its first picture, what is heard of a channel is older than that.
            if channel in self._crowds or (channel in self._mine and what in _PICTURES):
                _HEARD[what](self, channel, *rest)

    def lost(self) -> None:
        """There is no answer to the latest step, which may have been done or not; or its node has no lease any more."""
        self._former.append(self.node)
        self._is_back = False
        if not self.is_connected:
            return
        self._alone_since = self._clock()
        self._large_due.clear()
        self._looked.clear()
        for channel, mine in self._mine.items():
            if channel not in self._crowds or self._knows_all(channel):
                for key, user in mine.items():
                    self._add(channel, key, user)
        for channel, untold in self._untold.items():
            for key in untold.keys() - self._mine.get(channel, {}).keys():
                self._remove(channel, key)

    def tick(self) -> None:
        """Call it about once a second."""
        if self._alone_since is None or self._clock() - self._alone_since < OTHERS_KEPT:
            return
        for channel, crowd in list(self._crowds.items()):
            mine = self._mine[channel]
            if crowd.many is not None:
                crowd.replace(dict(mine), None)
                self._audience.count_changed(channel)
            for key in crowd.people.keys() - mine.keys():
                self._remove(channel, key)

    def _begin(self, run: str) -> None:
        if self._run not in {"", run}:
            self._settled_at = self._clock() + SETTLING
        self._run = run
        self._alone_since = None
        self._untold = {channel: dict.fromkeys(mine) for channel, mine in self._mine.items()}
        self._look_at = dict.fromkeys(self._crowds, 0.0)

    def _hear_all(self, channel: str, listed: list[str]) -> None:
        people = _people(listed)
        crowd = self._crowds.get(channel)
        if crowd is None:
            crowd = self._crowds[channel] = Crowd()
            crowd.replace(people, None)
        elif crowd.many is not None:
            if not self._is_settling(channel):
                self._large_due.pop(channel, None)
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

    def _hear_many(self, channel: str, online: int, listed: list[str]) -> None:
        crowd = self._crowds.setdefault(channel, Crowd())
        before = crowd.online
        if online < before and self._is_settling(channel):
            return
        crowd.replace(_people(listed), online)
        if online != before:
            self._audience.count_changed(channel)

    def _hear_joined(self, channel: str, key: str, info: str) -> None:
        if self._knows_all(channel):
            self._add(channel, key, read_info(info))

    def _hear_left(self, channel: str, key: str, _: str) -> None:
        if self._knows_all(channel):
            self._remove(channel, key)

    def _knows_all(self, channel: str) -> bool:
        return self._crowds[channel].many is None

    def _is_settling(self, channel: str) -> bool:
        if self._clock() >= self._settled_at:
            return False
        self._look_at[channel] = self._settled_at
        return True

    # What is shown, and announced.

    def _add(self, channel: str, key: str, user: User) -> None:
        crowd = self._crowds.setdefault(channel, Crowd())
        known = crowd.people.get(key)
        if known is not None and known.identity != user.identity:
            # Somebody else has the key now.
            self._remove(channel, key)
        if not crowd.add(key, user):
            return
        if crowd.many is not None:
            crowd.many += 1
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


_PICTURES = ("A", "M")
_HEARD: dict[str, Callable[..., None]] = {
    "A": Shared._hear_all,
    "a": Shared._hear_all,
    "M": Shared._hear_many,
    "m": Shared._hear_many,
    "j": Shared._hear_joined,
    "u": Shared._hear_joined,
    "l": Shared._hear_left,
}


def _info(user: User) -> str:
    return json.dumps([user.key, user.name, int(user.guest), user.identity])


def read_info(info: str | bytes) -> User:
    """The user from an entry that `_info` made."""
    key, name, guest, identity = json.loads(info)
    return User(key, name, guest=bool(guest), identity=identity)


def _people(listed: list[str]) -> dict[str, User]:
    return {key: read_info(info) for key, info in zip(listed[::2], listed[1::2], strict=True)}
