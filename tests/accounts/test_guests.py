"""Guests: one name, one person at a time, and a secret that proves who comes back."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hubbub.accounts.guests import RESERVED, Guests
from hubbub.errors import Conflict, Invalid, Unauthenticated
from hubbub.wire.keys import is_key

KEY = b"k" * 32


def test_a_name_that_is_a_key_is_the_key() -> None:
    user = Guests(KEY).admit("Alice").user

    assert (user.key, user.name, user.guest) == ("Alice", "Alice", True)


@pytest.mark.parametrize("name", [None, "", "Zoë", "two words"])
def test_any_other_name_gets_a_key_that_is_one(name: str | None) -> None:
    user = Guests(KEY).admit(name).user

    assert is_key(user.key)
    assert user.key.startswith("guest-")
    assert user.name == (name or user.key)


def test_a_name_is_taken_as_long_as_somebody_uses_it_whatever_its_case() -> None:
    guests = Guests(KEY)
    alice = guests.admit("alice")
    for name in ("alice", "ALICE"):
        with pytest.raises(Conflict, match="in use"):
            guests.admit(name)

    guests.leave(alice.user)

    assert guests.admit("ALICE").user.key == "ALICE"


def test_a_name_of_any_script_is_taken_without_regard_to_case_and_composition() -> None:
    guests = Guests(KEY)
    guests.admit("Zoë")

    for name in ("zoë", "ZOË", "Zoe\u0308"):
        with pytest.raises(Conflict):
            guests.admit(name)


def test_the_secret_counts_another_connection_of_the_same_guest() -> None:
    guests = Guests(KEY)
    first = guests.admit("Zoë")
    second = guests.admit("Zoë", first.secret)
    assert second.user == first.user

    guests.leave(first.user)
    with pytest.raises(Conflict):
        guests.admit("Zoë")
    guests.leave(second.user)

    assert guests.admit("Zoë").user != first.user


def test_the_secret_outlives_the_server_that_gave_it_but_not_its_key() -> None:
    first = Guests(KEY).admit("Zoë")

    assert Guests(KEY).admit("Zoë", first.secret).user == first.user
    with pytest.raises(Unauthenticated):
        Guests(b"another" * 8).admit("Zoë", first.secret)


def test_a_secret_whose_key_somebody_else_uses_now_has_to_wait() -> None:
    guests = Guests(KEY)
    first = guests.admit("alice")
    guests.leave(first.user)
    guests.admit("alice")

    with pytest.raises(Conflict):
        guests.admit("alice", first.secret)


def test_two_guests_of_one_name_have_two_identities() -> None:
    guests = Guests(KEY)
    first = guests.admit("alice")
    guests.leave(first.user)

    assert guests.admit("alice").user.identity != first.user.identity


@given(st.integers(min_value=0), st.characters(codec="utf-8"))
def test_a_secret_with_one_other_character_is_refused(place: int, character: str) -> None:
    secret = Guests(KEY).admit("alice").secret
    # Not in the key at its end: keys are the same without regard to case, and so is their secret.
    place %= len(secret) - len(".alice")
    assume(secret[place] != character)
    changed = secret[:place] + character + secret[place + 1 :]

    with pytest.raises(Unauthenticated):
        Guests(KEY).admit("alice", changed)


@pytest.mark.parametrize("name", [*sorted(RESERVED), "System", "dm:alice", "DM:x"])
def test_the_server_s_own_names_are_reserved(name: str) -> None:
    with pytest.raises(Conflict, match="reserved"):
        Guests(KEY).admit(name)


@pytest.mark.parametrize(
    "name",
    ["System ", " admin", "Sys\u200dtem", "\uff33ystem", "admin\u034f", "\ufe0fhere", "dm\u2065:alice"],
    ids=ascii,
)
def test_what_looks_like_one_of_them_is_reserved_too(name: str) -> None:
    with pytest.raises(Conflict, match="reserved"):
        Guests(KEY).admit(name)


def test_a_secret_does_not_give_a_reserved_name() -> None:
    guests = Guests(KEY)
    mallory = guests.admit("mallory")

    with pytest.raises(Conflict, match="reserved"):
        guests.admit("system", mallory.secret)


@pytest.mark.parametrize("name", ["alice\u200d", "\uff41lice", "ALICE ", "alice\ufe0f", "al\U000e0100ice"], ids=ascii)
def test_a_name_that_looks_like_one_in_use_is_taken(name: str) -> None:
    guests = Guests(KEY)
    alice = guests.admit("alice")
    with pytest.raises(Conflict, match="in use"):
        guests.admit(name)

    guests.leave(alice.user)

    assert guests.admit(name).user.name == name.strip()


def test_beside_accounts_a_guest_gets_a_made_key() -> None:
    user = Guests(KEY).admit("7", among_accounts=True).user

    assert user.key.startswith("guest-")
    assert user.name == "7"


@pytest.mark.parametrize("name", ["x" * 65, " ", "\u200d", "\u3164", "\u202eecila", "a\x00"], ids=ascii)
def test_what_is_no_name_is_invalid_and_the_field_named(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        Guests(KEY).admit(name)

    assert caught.value.errors is not None
    assert caught.value.errors[0]["loc"] == ["username"]


def test_nothing_is_kept_for_guests_who_are_gone() -> None:
    guests = Guests(KEY)
    admissions = [guests.admit(f"guest {number}") for number in range(50)]

    for admission in admissions:
        guests.leave(admission.user)

    assert not guests._present
    assert not guests._names
