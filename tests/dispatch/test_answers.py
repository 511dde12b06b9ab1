"""An answer that comes later: given once, and taken by a callback or by `await`."""

import asyncio

import pytest

from hubbub.dispatch.answers import Later


async def test_awaiting_it_gives_the_result() -> None:
    later: Later[int] = Later()
    asyncio.get_running_loop().call_soon(later.give, 7)

    assert await later == 7


async def test_a_result_that_has_come_is_there_at_once() -> None:
    later: Later[int] = Later()
    later.give(7)

    assert later.given == (7,)
    assert await later == 7


async def test_an_exception_in_its_place_is_raised() -> None:
    later: Later[int] = Later()
    asyncio.get_running_loop().call_soon(later.give, ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await later


async def test_giving_to_somebody_who_no_longer_waits_harms_nobody() -> None:
    later: Later[int] = Later()
    waiting = asyncio.ensure_future(_wait_for(later))
    await asyncio.sleep(0)
    waiting.cancel()
    later.give(7)

    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_only_the_first_result_counts() -> None:
    taken: list[int | Exception] = []
    later: Later[int] = Later()
    later.then(taken.append)
    for result in (1, 2):
        later.give(result)

    assert taken == [1]


@pytest.mark.parametrize("given_first", [True, False])
def test_a_result_can_be_made_into_an_answer(given_first: bool) -> None:
    later: Later[int] = Later()
    if given_first:
        later.give(7)
    answer = later.into(str)
    later.give(7)

    assert answer.given == ("7",)


@pytest.mark.parametrize("given_first", [True, False])
def test_nothing_is_made_of_an_exception(given_first: bool) -> None:
    error = ZeroDivisionError()
    later: Later[int] = Later()
    if given_first:
        later.give(error)
    answer = later.into(str)
    later.give(error)

    assert answer.given == (error,)


async def _wait_for(later: Later[int]) -> int:
    return await later
