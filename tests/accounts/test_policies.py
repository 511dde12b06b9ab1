"""The table of roles and actions, and that nothing escapes it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Route

from hubbub import Hubbub
from hubbub.accounts.policies import (
    IN_ROOMS,
    NOT_IN_ARCHIVED,
    NOT_WHILE_MUTED,
    ON_SERVER,
    ROUTES,
    Action,
    allow_everybody,
    may_as,
    may_in_public,
    may_in_room,
)
from hubbub.accounts.roles import RoomKind, RoomRole, Standing
from hubbub.features.rooms.access import Accesses
from hubbub.wire.identity import Role, User
from hubbub.wire.members import FOR_EVER

NOW = 1_000_000


@pytest.mark.parametrize("action", Action)
def test_everybody_may_do_everything_except_delete_others_messages(action: Action) -> None:
    allowed = allow_everybody(User("alice", "Alice"), action, "lobby")

    assert allowed is (action is not Action.MODERATE)


def test_each_action_has_a_line_in_one_of_the_tables() -> None:
    assert set(IN_ROOMS) | set(ON_SERVER) == set(Action)
    assert not set(IN_ROOMS) & set(ON_SERVER)


def test_each_command_says_what_the_policy_is_asked() -> None:
    hub = Hubbub(guests="on", page=False)

    for registration in hub._registry.registrations:
        asked = registration.action
        assert asked is None or asked in IN_ROOMS or asked in ON_SERVER, registration.model
        assert asked is not None or registration.asks.reason, registration.model  # type: ignore[union-attr]


def test_each_route_says_what_the_policy_is_asked() -> None:
    found = set()
    for hub in (Hubbub(guests="on", page=False), Hubbub(accounts=True, page=False)):
        app = FastAPI(openapi_url=None)
        app.include_router(hub.router)
        found |= set(methods_and_paths(app.routes))

    assert found == set(ROUTES)


def methods_and_paths(routes: list[BaseRoute]) -> Iterator[str]:
    for route in routes:
        inner: Any = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if inner is not None:
            yield from methods_and_paths(inner)
        elif isinstance(route, (APIRoute, Route)) and not route.path.startswith("/ws"):
            yield from (f"{method} {route.path}" for method in route.methods or () if method != "HEAD")


users = st.builds(User, st.just("bob"), st.just("Bob"), st.booleans(), role=st.sampled_from(Role))
standings = st.none() | st.builds(
    Standing,
    st.sampled_from(RoomRole),
    st.sampled_from([0, NOW, NOW + 1, FOR_EVER]),
    st.sampled_from([0, NOW, FOR_EVER]),
)


@given(st.sampled_from(RoomKind), users, standings, st.sampled_from(sorted(IN_ROOMS)), st.booleans())
def test_a_room_allows_what_the_table_says_for_the_role(
    kind: RoomKind, user: User, standing: Standing | None, action: Action, archived: bool
) -> None:
    allowed = may_in_room(kind, user, standing, action, archived=archived, now=NOW)

    standing = standing or Standing()
    role = standing.role
    if kind is RoomKind.PUBLIC:
        if user.role is Role.ADMIN:
            # Nobody bans or mutes an administrator.
            standing, role = Standing(), RoomRole.OWNER
        elif role is RoomRole.NOBODY:
            role = RoomRole.GUEST if user.guest else RoomRole.MEMBER
    roles = IN_ROOMS[action][list(RoomKind).index(kind)]
    expected = (
        role in roles
        and standing.banned <= NOW
        and not (standing.muted > NOW and action in NOT_WHILE_MUTED)
        and not (archived and action in NOT_IN_ARCHIVED)
    )
    assert allowed is expected


@given(users, standings, st.sampled_from(RoomRole), st.sampled_from(sorted(IN_ROOMS)), st.booleans())
def test_where_the_application_gives_the_role_nothing_else_does(
    user: User, standing: Standing | None, given_role: RoomRole, action: Action, archived: bool
) -> None:
    allowed = may_in_room(RoomKind.PUBLIC, user, standing, action, archived=archived, now=NOW, given=given_role)

    standing = standing or Standing()
    may = given_role in IN_ROOMS[action][list(RoomKind).index(RoomKind.APPLICATION)]
    assert may_as(given_role, action) is may
    assert allowed is (
        may
        and standing.banned <= NOW
        and not (standing.muted > NOW and action in NOT_WHILE_MUTED)
        and not (archived and action in NOT_IN_ARCHIVED)
    )


@given(users, standings, st.sampled_from(sorted(IN_ROOMS)))
def test_admins_may_do_nothing_in_private_rooms_that_they_are_not_in(
    user: User, standing: Standing | None, action: Action
) -> None:
    outside = Standing(RoomRole.NOBODY, muted=standing.muted, banned=standing.banned) if standing else None

    for kind in (RoomKind.PRIVATE, RoomKind.DIRECT):
        assert not may_in_room(kind, user, outside, action, archived=False, now=NOW)


@given(users, st.sampled_from(sorted(ON_SERVER)))
def test_the_server_allows_what_the_table_says_for_the_role(user: User, action: Action) -> None:
    assert may_in_public(user, action) is (user.role in ON_SERVER[action])


def accesses(policy: Any = allow_everybody) -> Accesses:
    return Accesses(None, policy, is_here=lambda _: False)


def test_an_applications_policy_takes_away_and_gives_only_the_right_to_moderate_in_public_rooms() -> None:
    bob, guest = User("bob", "Bob"), User("gus", "Gus", guest=True, identity="g")
    everything = accesses(lambda user, action, where: True).permits
    nothing = accesses(lambda user, action, where: False).permits

    assert everything(bob, Action.MODERATE, "lobby")
    assert not everything(bob, Action.BAN, "lobby")
    assert not everything(guest, Action.CREATE, "")
    assert not everything(bob, Action.JOIN, "private:abc")
    assert not nothing(bob, Action.SEND, "lobby")


def test_a_check_in_a_public_room_takes_about_a_microsecond_at_most() -> None:
    permits, bob = accesses().permits, User("bob", "Bob")

    # The best of many short runs: a busy machine makes most of them slower, and none faster.
    def run() -> float:
        began = time.perf_counter()
        for _ in range(200):
            permits(bob, Action.SEND, "lobby")
        return (time.perf_counter() - began) / 200

    assert min(run() for _ in range(200)) < 5e-6
