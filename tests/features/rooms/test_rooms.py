"""Rooms while people are in them: counted by user and not by tab, announced once, and gone with the last one."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import pytest

from hubbub.accounts.policies import Action, Policy, allow_everybody
from hubbub.broker.memory import MemoryBroker
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.sequencer import Sequencer
from hubbub.errors import Forbidden, TooLarge, Unavailable
from hubbub.features.feature import Services
from hubbub.features.rooms.rooms import Rooms
from hubbub.limits import Allowance
from hubbub.presence.crowd import NAMED_UP_TO
from hubbub.presence.local import LocalPresence
from hubbub.settings import CurrentSettings, Settings
from hubbub.shared_limits.local import LocalLimits
from hubbub.wire.identity import User
from hubbub.wire.publication import Publication
from tests.delivery.links import Person, turn

LINGER = 10.0


async def nothing_to_fetch(channel: str, position: int) -> list[Publication]:
    return []


@dataclass
class House:
    """Rooms on a real hub and a real broker, with a clock that the test moves."""

    policy: Policy = allow_everybody
    rooms_per_connection: int = 200
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.broker = MemoryBroker()
        self.presence = LocalPresence()
        self.fanout = Fanout(
            open_channel=self.broker.subscribe,
            close_channel=self.broker.unsubscribe,
            ping=lambda: Publication("", {"type": "ping"}),
        )
        self.fanout.start(asyncio.get_running_loop())
        settings = Settings(linger=LINGER, rooms_per_connection=self.rooms_per_connection)
        services = Services(
            settings=settings,
            current=CurrentSettings(settings),
            policy=self.policy,
            fanout=self.fanout,
            broker=self.broker,
            presence=self.presence,
            limits=LocalLimits(Allowance(1, 1)),
            sequencer=Sequencer(deliver=self.fanout.deliver, fetch=nothing_to_fetch),
            epoch="epoch",
        )
        self.rooms = Rooms(services, clock=lambda: self.now)

    async def open(self) -> "House":
        await self.broker.start(self.fanout.deliver, lambda _: None, cluster="ours")
        await self.presence.start(self.rooms)
        return self

    def visitor(self, name: str, tab: int = 1) -> Person:
        return Person(self.fanout, name, id=f"{name}/{tab}")

    async def join(self, person: Person, room: str = "lobby") -> None:
        async with self.rooms.joining(person.connection, room):
            pass

    def vanish(self, person: Person, *, clean: bool = False) -> None:
        person.connection.lost(1000 if clean else 1006, "")
        self.rooms.disconnected(person.connection, clean=clean)


async def new_house(**options: Any) -> House:
    return await House(**options).open()


def told(person: Person, *types: str) -> list[tuple[str, str | None, int]]:
    """Comings, goings and counts, as far as this person heard of them."""
    wanted = types or ("join", "leave", "online")
    return [(event["type"], event.get("user"), event["online"]) for event in person.events if event["type"] in wanted]


async def test_a_room_comes_to_be_with_the_first_one_and_leaves_no_trace_with_the_last() -> None:
    house = await new_house()
    alice = house.visitor("alice")
    await house.join(alice)
    assert [room.key for room in house.rooms] == ["lobby"]

    house.rooms.leave(alice.connection, "lobby")
    await turn(10)

    assert len(house.rooms) == 0
    assert not house.fanout.subscribers("room:lobby")
    assert house.rooms.online("lobby") == 0


async def test_coming_and_going_is_announced_to_those_who_are_there() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")

    await house.join(alice)
    await house.join(bob)
    house.rooms.leave(bob.connection, "lobby")
    await turn(3)

    assert told(alice) == [("join", "alice", 1), ("join", "bob", 2), ("leave", "bob", 1)]


async def test_a_key_is_one_room_however_it_is_spelled() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")

    await house.join(alice, "Lobby")
    await house.join(bob, "LOBBY")

    assert house.rooms.online("lobby") == 2
    assert [room.key for room in house.rooms] == ["Lobby"]


async def test_a_user_counts_once_however_many_tabs() -> None:
    house = await new_house()
    alice = house.visitor("alice")
    tabs = [house.visitor("bob", tab) for tab in range(3)]
    await house.join(alice)

    for tab in tabs:
        await house.join(tab)
    assert house.rooms.online("lobby") == 2
    for tab in tabs[:2]:
        house.vanish(tab, clean=True)
    await turn(3)
    assert told(alice) == [("join", "alice", 1), ("join", "bob", 2)]
    house.vanish(tabs[2], clean=True)
    await turn(3)

    assert told(alice)[-1] == ("leave", "bob", 1)


async def test_who_vanishes_counts_as_online_for_a_while() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")
    await house.join(alice)
    await house.join(bob)

    house.vanish(bob)
    house.now += LINGER - 0.1
    house.rooms.tick()
    await turn(3)
    assert house.rooms.online("lobby") == 2
    assert not told(alice, "leave")
    house.now += 0.1
    house.rooms.tick()
    await turn(3)

    assert told(alice, "leave") == [("leave", "bob", 1)]


async def test_who_vanishes_and_comes_back_in_time_was_never_away() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")
    await house.join(alice)
    await house.join(bob)

    house.vanish(bob)
    house.now += LINGER / 2
    await house.join(house.visitor("bob", 2))
    house.now += 10 * LINGER
    house.rooms.tick()
    await turn(3)

    assert told(alice) == [("join", "alice", 1), ("join", "bob", 2)]


async def test_who_comes_back_with_another_name_is_announced_under_it() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")
    await house.join(alice)
    await house.join(bob)

    house.vanish(bob)
    renamed = house.visitor("bob", 2)
    renamed.connection.user = User("bob", "Robert")
    await house.join(renamed)
    await turn(3)

    assert told(alice) == [("join", "alice", 1), ("join", "bob", 2), ("join", "bob", 2)]
    assert [user.name for user in house.rooms.users("lobby")] == ["Alice", "Robert"]


async def test_who_leaves_with_one_tab_after_another_vanished_is_gone() -> None:
    house = await new_house()
    alice, tab, other = house.visitor("alice"), house.visitor("bob", 1), house.visitor("bob", 2)
    for person in (alice, tab, other):
        await house.join(person)

    house.vanish(tab)
    house.rooms.leave(other.connection, "lobby")
    await turn(3)

    assert told(alice, "leave") == [("leave", "bob", 1)]


async def test_the_last_one_who_vanishes_takes_the_room_along_after_the_while() -> None:
    house = await new_house()
    alice = house.visitor("alice")
    await house.join(alice)

    house.vanish(alice)
    assert len(house.rooms) == 1
    house.now += LINGER
    house.rooms.tick()

    assert len(house.rooms) == 0


async def test_above_a_hundred_a_count_is_published_once_a_tick() -> None:
    house = await new_house()
    people = [house.visitor(f"guest-{number}") for number in range(NAMED_UP_TO + 20)]
    for person in people:
        await house.join(person)
    await turn(3)
    assert len(told(people[0], "join")) == NAMED_UP_TO
    assert not told(people[0], "online")

    house.rooms.tick()
    house.rooms.tick()
    for person in people[-5:]:
        house.rooms.leave(person.connection, "lobby")
    house.rooms.tick()
    await turn(3)

    assert told(people[0], "online", "leave") == [("online", None, 120), ("online", None, 115)]


async def test_at_a_hundred_names_are_announced_again() -> None:
    house = await new_house()
    people = [house.visitor(f"guest-{number}") for number in range(NAMED_UP_TO + 1)]
    for person in people:
        await house.join(person)
    house.rooms.tick()

    for person in people[-2:]:
        house.rooms.leave(person.connection, "lobby")
    await turn(3)

    assert told(people[0], "leave") == [("leave", "guest-100", 99)]


async def test_the_users_of_a_room_are_those_who_came_first() -> None:
    house = await new_house()
    people = [house.visitor(f"guest-{number}") for number in range(130)]
    for person in people[:100]:
        await house.join(person)
    assert [user.user for user in house.rooms.users("lobby")] == [f"guest-{number}" for number in range(100)]

    for person in people[100:]:
        await house.join(person)

    shown = house.rooms.users("lobby")
    assert len(shown) <= 100
    assert [user.user for user in shown] == [f"guest-{number}" for number in range(len(shown))]
    house.rooms.leave(people[0].connection, "lobby")
    assert house.rooms.users("lobby")[0].user == "guest-1"


async def test_joining_again_is_no_second_coming() -> None:
    house = await new_house()
    alice = house.visitor("alice")

    await house.join(alice)
    await house.join(alice, "LOBBY")
    house.rooms.leave(alice.connection, "lobby")

    assert len(house.rooms) == 0


async def test_who_has_not_joined_cannot_leave() -> None:
    house = await new_house()
    alice = house.visitor("alice")

    with pytest.raises(Forbidden, match="join room 'lobby' first"):
        house.rooms.leave(alice.connection, "lobby")


async def test_a_policy_keeps_people_out_and_leaves_no_room_behind() -> None:
    def only_alice(user: User, action: Action, where: str) -> bool:
        return action is not Action.JOIN or user.key == "alice"

    house = await new_house(policy=only_alice)
    await house.join(house.visitor("alice"))

    with pytest.raises(Forbidden, match="you may not join room 'secret'"):
        await house.join(house.visitor("bob"), "secret")

    assert [room.key for room in house.rooms] == ["lobby"]


async def test_a_connection_is_in_so_many_rooms_at_most() -> None:
    house = await new_house(rooms_per_connection=3)
    alice = house.visitor("alice")
    for number in range(3):
        await house.join(alice, f"room-{number}")

    with pytest.raises(TooLarge, match="at most 3 rooms"):
        await house.join(alice, "room-3")
    house.rooms.leave(alice.connection, "room-0")
    await house.join(alice, "room-3")

    assert len(house.rooms) == 3


async def test_a_storm_of_comings_and_goings_in_one_room_leaves_nothing() -> None:
    chance = random.Random(3)
    house = await new_house()
    people = [house.visitor(f"guest-{number % 10}", number) for number in range(30)]
    joins: list[asyncio.Future[None]] = []
    here: set[Person] = set()

    for _ in range(3000):
        person = chance.choice(people)
        if not person.connection.is_open:
            continue
        if person in here:
            if "room:lobby" in person.connection.channels:
                here.discard(person)
                house.rooms.leave(person.connection, "lobby")
        else:
            here.add(person)
            joins.append(asyncio.ensure_future(house.join(person)))
        if chance.random() < 0.3:
            await turn(chance.randrange(3))
        house.now += 0.01
        house.rooms.tick()
    await asyncio.gather(*joins)
    for person in people:
        house.vanish(person, clean=chance.random() < 0.5)
    house.now += LINGER
    house.rooms.tick()
    await turn(30)

    assert len(house.rooms) == 0
    assert not house.rooms._leaving
    assert not house.rooms._recount
    assert not house.fanout.channels.by_name
    assert not house.broker._channels


def known_as(house: House, name: str, identity: str) -> Person:
    visitor = house.visitor("alice", tab=hash(identity))
    visitor.connection.user = User("alice", name, guest=bool(identity), identity=identity)
    return visitor


async def test_who_gets_the_key_of_one_who_vanished_comes_as_somebody_else() -> None:
    house = await new_house()
    bob, guest, account = house.visitor("bob"), known_as(house, "Al", "guest"), known_as(house, "Alice", "")
    await house.join(bob)
    await house.join(guest)

    house.vanish(guest)
    await house.join(account)
    await turn(3)

    assert told(bob) == [("join", "bob", 1), ("join", "alice", 2), ("leave", "alice", 1), ("join", "alice", 2)]
    assert [(user.name, user.guest) for user in house.rooms.users("lobby")] == [("Bob", None), ("Alice", None)]


async def test_who_gets_the_key_of_one_who_is_still_there_is_shown_at_once() -> None:
    house = await new_house()
    guest, account = known_as(house, "Al", "guest"), known_as(house, "Alice", "")
    await house.join(guest)

    await house.join(account)
    house.vanish(guest)
    house.now += LINGER
    house.rooms.tick()

    assert [(user.name, user.guest) for user in house.rooms.users("lobby")] == [("Alice", None)]


async def test_a_join_that_fails_is_undone_and_the_others_hear_of_it() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")
    await house.join(alice)

    with pytest.raises(Unavailable):
        async with house.rooms.joining(bob.connection, "lobby"):
            raise Unavailable("the database is away")
    await turn()

    assert told(alice, "leave") == [("leave", "bob", 1)]
    assert not house.rooms.has_joined(bob.connection, "lobby")
    assert house.fanout.subscribers("room:lobby") == [alice.connection]


async def test_a_second_join_that_fails_leaves_the_connection_in_its_room() -> None:
    house = await new_house()
    alice, bob = house.visitor("alice"), house.visitor("bob")
    await house.join(alice)

    with pytest.raises(Unavailable):
        async with house.rooms.joining(alice.connection, "lobby"):
            raise Unavailable("the database is away")
    await house.join(bob)
    await turn()

    assert house.rooms.has_joined(alice.connection, "lobby")
    assert ("join", "bob", 2) in told(alice, "join")
