"""A key that was seen is never taken for a new one; a new one hardly ever for one that was seen."""

from hypothesis import given
from hypothesis import strategies as st

from hubbub.accounts.seen_keys import SeenKeys


@given(st.lists(st.text(max_size=64)))
def test_a_seen_key_is_known(keys: list[str]) -> None:
    seen = SeenKeys()
    for key in keys:
        seen.add(key)

    assert not any(seen.add(key) for key in keys)


def test_a_new_key_is_hardly_ever_taken_for_a_seen_one() -> None:
    seen = SeenKeys()
    for number in range(20_000):
        seen.add(f"user{number}")

    taken = sum(not seen.add(f"stranger{number}") for number in range(20_000))

    assert taken < 200
