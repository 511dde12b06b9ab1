"""How much is too much, told by a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.limits import AddressLimit, Allowance, Debt, TokenBucket


def test_a_burst_is_taken_at_once_and_the_next_one_waits() -> None:
    bucket = TokenBucket()

    assert [bucket.take(5.0, rate=10, burst=3) for _ in range(3)] == [0.0, 0.0, 0.0]

    assert bucket.take(5.0, rate=10, burst=3) == pytest.approx(0.1)


def test_who_waits_as_long_as_told_is_served() -> None:
    bucket = TokenBucket()
    for _ in range(3):
        bucket.take(5.0, rate=10, burst=3)

    wait = bucket.take(5.0, rate=10, burst=3)

    assert bucket.take(5.0 + wait, rate=10, burst=3) == 0.0


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket()
    bucket.take(5.0, rate=10, burst=1)

    for _ in range(100):
        assert bucket.take(5.0, rate=10, burst=1) > 0

    assert bucket.take(5.1, rate=10, burst=1) == 0.0


def test_a_pause_gives_back_no_more_than_the_burst() -> None:
    bucket = TokenBucket()
    bucket.take(0.0, rate=10, burst=3)

    taken = sum(bucket.take(1_000_000.0, rate=10, burst=3) == 0.0 for _ in range(10))

    assert taken == 3


@given(
    st.lists(st.floats(0, 2), max_size=60),
    st.floats(0.5, 100),
    st.integers(1, 20),
)
def test_no_more_than_burst_and_rate_are_ever_taken(pauses: list[float], rate: float, burst: int) -> None:
    bucket, now, taken = TokenBucket(), 100.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now, rate=rate, burst=burst) == 0.0

    assert taken <= burst + rate * (now - 100.0) + 1e-6


def test_an_address_has_as_many_connections_as_it_may() -> None:
    limit = AddressLimit(2)

    assert [limit.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limit.enter("192.0.2.2")
    limit.leave("192.0.2.1")
    assert limit.enter("192.0.2.1")


def test_nothing_is_kept_of_addresses_that_are_gone() -> None:
    limit = AddressLimit(2)
    for number in range(100):
        limit.enter(f"192.0.2.{number}")
        limit.leave(f"192.0.2.{number}")

    assert not limit._open


def test_no_limit_is_no_limit() -> None:
    limit = AddressLimit(0)

    assert all(limit.enter("192.0.2.1") for _ in range(1000))


def test_work_within_the_allowance_is_done_at_once_and_more_must_be_waited_for() -> None:
    debt, allowance = Debt(), Allowance(rate=10, burst=30)

    assert debt.add(30, 5.0, allowance) == 0.0
    assert debt.add(20, 5.0, allowance) == pytest.approx(2.0)
    assert debt.wait(6.0, allowance) == pytest.approx(1.0)
    assert debt.wait(7.0, allowance) == 0.0


def test_whoever_rested_owes_nothing_and_has_no_more_than_the_burst() -> None:
    debt, allowance = Debt(), Allowance(rate=10, burst=30)
    debt.add(1000, 0.0, allowance)

    assert debt.add(30, 1000.0, allowance) == 0.0
    assert debt.add(1, 1000.0, allowance) > 0
