"""What the application says of who is in its rooms, with a clock and an application that the test holds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hubbub.accounts.roles import RoomRole
from hubbub.errors import Unavailable
from hubbub.features.rooms import application_roles
from hubbub.features.rooms.application_roles import KEPT, LASTS, TRUSTED, TRUSTED_AFTER_A_CHANGE, ApplicationRoles
from hubbub.wire.identity import User

ALICE, BOB = User("Alice", "Alice"), User("bob", "Bob")


class Application:
    """Its tables, and what it was asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.says: Any = "member"
        self.asked: list[tuple[str, str]] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.roles = ApplicationRoles(self.membership, deadline=0.2, clock=lambda: self.now)

    async def membership(self, user: User, room: str) -> Any:
        self.asked.append((user.key, room))
        says = self.says
        if self.meanwhile is not None:
            await self.meanwhile()
        if isinstance(says, Exception):
            raise says
        return says


@pytest.fixture
def application() -> Application:
    return Application()


async def test_an_answer_is_kept_for_a_minute(application: Application) -> None:
    roles = application.roles
    assert roles.role_of(ALICE, "item:1") is None

    assert await roles.know(ALICE, "item:1") is RoomRole.MEMBER
    application.says = None
    application.now = LASTS - 1
    assert await roles.know(ALICE, "item:1") is RoomRole.MEMBER
    application.now = LASTS
    assert await roles.know(ALICE, "item:1") is RoomRole.NOBODY

    assert application.asked == [("Alice", "item:1")] * 2


async def test_those_who_ask_together_share_a_question(application: Application) -> None:
    asks = (application.roles.know(ALICE, "item:1") for _ in range(5))

    assert await asyncio.gather(*asks) == [RoomRole.MEMBER] * 5
    assert len(application.asked) == 1


@pytest.mark.parametrize("says", ["king", True, 7, "", ["member"], RuntimeError("no table"), asyncio.CancelledError()])
async def test_what_makes_no_sense_is_no_answer(application: Application, says: Any) -> None:
    application.says = says

    with pytest.raises(Unavailable) as caught:
        await application.roles.know(ALICE, "item:1")

    assert "no table" not in str(caught.value)
    assert application.roles.role_of(ALICE, "item:1") is None


async def test_an_application_that_hangs_gives_no_answer(application: Application) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    application.meanwhile = hang

    for room in ("item:1", "item:2"):
        with pytest.raises(Unavailable):
            await application.roles.know(ALICE, room)
    assert not application.roles._flights


async def test_an_answer_that_is_older_than_a_change_is_asked_for_again(application: Application) -> None:
    async def remove_alice() -> None:
        application.meanwhile = None
        application.says = None
        application.roles.changed("item:1", "alice")

    application.meanwhile = remove_alice

    assert await application.roles.know(ALICE, "item:1") is RoomRole.NOBODY
    assert len(application.asked) == 2


async def test_a_change_is_about_those_whom_it_names(application: Application) -> None:
    roles = application.roles
    for user in (ALICE, BOB):
        for room in ("item:1", "item:2"):
            roles.came(user, room)
            await roles.ask(user, room)

    assert roles.changed("item:1", "alice") == [(ALICE, "item:1")]
    assert roles.changed("item:1", None) == [(ALICE, "item:1"), (BOB, "item:1")]
    assert roles.changed(None, "bob") == [(BOB, "item:1"), (BOB, "item:2")]


async def test_after_a_change_the_old_answer_counts_for_a_second(application: Application) -> None:
    roles = application.roles
    roles.came(ALICE, "item:1")
    await roles.ask(ALICE, "item:1")
    roles.changed("item:1", None)

    assert roles.role_of(ALICE, "item:1") is RoomRole.MEMBER
    application.now = TRUSTED_AFTER_A_CHANGE
    assert roles.role_of(ALICE, "item:1") is None
    await roles.ask(ALICE, "item:1")
    assert roles.role_of(ALICE, "item:1") is RoomRole.MEMBER


async def test_who_stays_is_asked_about_each_minute_and_not_trusted_for_ever(application: Application) -> None:
    roles = application.roles
    roles.came(ALICE, "item:1")
    await roles.ask(ALICE, "item:1")
    application.says = RuntimeError("no table")

    found = []
    for minute in (0.5, 1, 1.5, 2, 3):
        application.now = minute * LASTS
        due = list(roles.due())
        found.append([is_over for _, _, is_over in due])
        for user, room, _ in due:
            with pytest.raises(Unavailable):
                await roles.ask(user, room)

    assert found == [[], [False], [], [False], [True]]
    assert application.now == TRUSTED
    assert roles.role_of(ALICE, "item:1") is None


async def test_the_memory_of_absent_people_is_bounded(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application_roles, "KEPT", 10)
    roles = application.roles
    roles.came(ALICE, "item:1")
    for number in range(30):
        await roles.know(ALICE, f"item:{number}")

    known = [number for number in range(30) if roles.role_of(ALICE, f"item:{number}") is not None]

    assert known == [1, *range(20, 30)]
    assert KEPT == 10_000


async def test_only_so_many_questions_run_at_once(application: Application) -> None:
    running, most = 0, 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    application.meanwhile = count
    people = [User(f"user{number}", "") for number in range(200)]
    await asyncio.gather(*(application.roles.ask(one, "item:1") for one in people))
    assert most == application_roles.AT_ONCE

    most = 0
    await asyncio.gather(*(application.roles.ask(ALICE, f"item:{number}") for number in range(200)))
    assert most == application_roles.OF_ONE_USER


async def test_a_user_about_whom_answers_never_come_delays_nobody_and_leaves_nothing(application: Application) -> None:
    asked = 0
    is_asked = asyncio.Event()

    async def hang_for_alice() -> None:
        nonlocal asked
        if application.asked[-1][0] == "Alice":
            asked += 1
            is_asked.set()
            await asyncio.Event().wait()

    application.meanwhile = hang_for_alice
    roles = ApplicationRoles(application.membership, deadline=30.0, clock=lambda: 0.0)
    hers = [asyncio.create_task(roles.know(ALICE, f"item:{number}")) for number in range(1000)]
    await is_asked.wait()

    assert await roles.know(BOB, "item:1") is RoomRole.MEMBER
    assert asked == application_roles.OF_ONE_USER

    for one in hers:
        one.cancel()
    await asyncio.wait(hers)
    application.meanwhile = None
    assert await roles.know(ALICE, "item:1") is RoomRole.MEMBER
    assert not roles._flights


async def test_a_question_for_which_nobody_waits_any_more_is_ended(application: Application) -> None:
    is_asked, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        is_asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    application.meanwhile = hang
    asking = [asyncio.create_task(application.roles.ask(ALICE, "item:1")) for _ in range(2)]
    await is_asked.wait()

    asking[0].cancel()
    await asyncio.wait(asking[:1])
    assert not ended.is_set()
    asking[1].cancel()
    application.meanwhile = None

    # It is another question, although the first one is about to end.
    await asyncio.sleep(0)
    assert await application.roles.ask(ALICE, "item:1") is RoomRole.MEMBER
    assert ended.is_set()
