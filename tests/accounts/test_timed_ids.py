"""Ids that sort by time."""

from __future__ import annotations

from hubbub.accounts.timed_ids import LATEST, TimedIds


def test_ids_sort_in_the_order_in_which_they_are_made_also_within_a_moment() -> None:
    ids = TimedIds(clock=lambda: 1_800_000_000_000_000_000)
    made = [ids.next() for _ in range(100)]
    assert made == sorted(made)
    assert len(set(made)) == 100
    assert max(made) < LATEST


def test_ids_sort_in_their_order_when_the_clock_is_set_back() -> None:
    times = iter((1_800_000_000_000_000_000, 1_700_000_000_000_000_000))
    ids = TimedIds(clock=lambda: next(times))
    assert ids.next() < ids.next()
