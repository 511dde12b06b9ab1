"""The limits, with a clock that the test sets."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.limits import AddressLimit, Allowance, Debt, Outflow, Recent, TokenBucket, network_of


def test_a_burst_is_allowed_at_once_and_the_next_one_waits() -> None:
    bucket = TokenBucket()

    assert [bucket.take(5.0, rate=10, burst=3) for _ in range(3)] == [0.0, 0.0, 0.0]

    assert bucket.take(5.0, rate=10, burst=3) == pytest.approx(0.1)


def test_a_client_that_waits_as_told_is_served() -> None:
    bucket = TokenBucket()
    for _ in range(3):
        bucket.take(5.0, rate=10, burst=3)

    wait = bucket.take(5.0, rate=10, burst=3)

    assert bucket.take(5.0 + wait, rate=10, burst=3) == 0.0


def test_a_refusal_takes_no_token() -> None:
    bucket = TokenBucket()
    bucket.take(5.0, rate=10, burst=1)

    for _ in range(100):
        assert bucket.take(5.0, rate=10, burst=1) > 0

    assert bucket.take(5.1, rate=10, burst=1) == 0.0


def test_a_pause_restores_no_more_than_the_burst() -> None:
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


def test_an_address_has_at_most_its_limit_of_connections() -> None:
    limit = AddressLimit(2)

    assert [limit.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limit.enter("192.0.2.2")
    limit.leave("192.0.2.1")
    assert limit.enter("192.0.2.1")


def test_addresses_without_connections_are_forgotten() -> None:
    limit = AddressLimit(2)
    for number in range(100):
        limit.enter(f"192.0.2.{number}")
        limit.leave(f"192.0.2.{number}")

    assert not limit._open


def test_zero_means_no_limit() -> None:
    limit = AddressLimit(0)

    assert all(limit.enter("192.0.2.1") for _ in range(1000))


def test_work_within_the_allowance_is_done_at_once_and_more_has_to_wait() -> None:
    debt, allowance = Debt(), Allowance(rate=10, burst=30)

    assert debt.add(30, 5.0, allowance) == 0.0
    assert debt.add(20, 5.0, allowance) == pytest.approx(2.0)
    assert debt.wait(6.0, allowance) == pytest.approx(1.0)
    assert debt.wait(7.0, allowance) == 0.0


def test_after_a_rest_a_client_owes_nothing_and_has_no_more_than_the_burst() -> None:
    debt, allowance = Debt(), Allowance(rate=10, burst=30)
    debt.add(1000, 0.0, allowance)

    assert debt.add(30, 1000.0, allowance) == 0.0
    assert debt.add(1, 1000.0, allowance) > 0


def test_recently_used_entries_are_kept_and_the_others_forgotten() -> None:
    kept: Recent[list[str]] = Recent(list, seconds=10)
    for now in range(100):
        kept.of("alice", now).append("again")
        kept.of(f"visitor {now}", now)

    assert len(kept.of("alice", 100)) == 100
    assert len(kept) <= 21
    assert kept.of("alice", 130) == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_client_that_reads_nothing_or_too_little_is_stuck() -> None:
    def seconds(lefts: Iterator[int], *, growing: bool = False) -> int:
        outflow = Outflow()
        for second, left in enumerate(lefts):
            if outflow.is_stuck(left, 1.0, growing=growing, stall=10, patience=60):
                return second
        return -1

    assert seconds(itertools.repeat(5000)) == 10
    assert seconds(itertools.count(5000, -1)) == 64
    # A megabyte has a thousand seconds more.
    assert seconds(itertools.count(1_000_000, -1)) == 1059
    assert seconds(itertools.chain(range(1_000_000, 0, -2000), [0])) == -1
    assert seconds(itertools.islice(itertools.cycle([5000, 6000]), 1000), growing=True) == -1
    assert seconds(itertools.repeat(5000), growing=True) == 10
