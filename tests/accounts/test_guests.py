"""Guests: one name, one person at a time, and a secret that proves who comes back."""

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hubbub.accounts.guests import RESERVED, Guests
from hubbub.accounts.signing_key import SigningKeys
from hubbub.accounts.users import is_made_of
from hubbub.errors import Conflict, Invalid, Unauthenticated
from hubbub.wire.identity import User
from hubbub.wire.keys import is_key

KEY = b"k" * 32


def guests_here(
    signing_key: bytes = KEY, *, clock: Callable[[], float] = time.monotonic, linger: float = 0.0
) -> Guests:
    return Guests(SigningKeys(signing_key), clock=clock, linger=linger)


async def test_a_name_that_is_a_key_is_the_key() -> None:
    user = (await guests_here().admit("Alice")).user

    assert (user.key, user.name, user.guest) == ("Alice", "Alice", True)


@pytest.mark.parametrize("name", [None, "", "Zoë", "two words", "Guest"])
async def test_any_other_name_gets_a_made_key(name: str | None) -> None:
    user = (await guests_here().admit(name)).user

    assert is_key(user.key)
    assert user.key.startswith("guest-")
    assert user.name == (name or user.key)


async def test_a_used_name_is_taken_in_any_case() -> None:
    guests = guests_here()
    alice = await guests.admit("alice")
    for name in ("alice", "ALICE"):
        with pytest.raises(Conflict, match="in use"):
            await guests.admit(name)

    guests.leave(alice.user)

    assert (await guests.admit("ALICE")).user.key == "ALICE"


async def test_a_name_of_any_script_is_taken_without_regard_to_case_and_composition() -> None:
    guests = guests_here()
    await guests.admit("Zoë")

    for name in ("zoë", "ZOË", "Zoe\u0308"):
        with pytest.raises(Conflict):
            await guests.admit(name)


async def test_the_secret_counts_another_connection_of_the_same_guest() -> None:
    guests = guests_here()
    first = await guests.admit("Zoë")
    second = await guests.admit("Zoë", first.secret)
    assert second.user == first.user

    guests.leave(first.user)
    with pytest.raises(Conflict):
        await guests.admit("Zoë")
    guests.leave(second.user)

    assert (await guests.admit("Zoë")).user != first.user


async def test_the_secret_outlives_the_server_that_gave_it_but_not_its_key() -> None:
    first = await guests_here().admit("Zoë")

    assert (await guests_here().admit("Zoë", first.secret)).user == first.user
    with pytest.raises(Unauthenticated):
        await guests_here(b"another" * 8).admit("Zoë", first.secret)


async def test_a_secret_does_not_help_while_another_guest_uses_its_key() -> None:
    guests = guests_here()
    first = await guests.admit("alice")
    guests.leave(first.user)
    await guests.admit("alice")

    with pytest.raises(Conflict):
        await guests.admit("alice", first.secret)


async def test_two_guests_of_one_name_have_two_identities() -> None:
    guests = guests_here()
    first = await guests.admit("alice")
    guests.leave(first.user)

    assert (await guests.admit("alice")).user.identity != first.user.identity


@given(st.integers(min_value=0), st.characters(codec="utf-8"))
async def test_a_secret_with_one_other_character_is_refused(place: int, character: str) -> None:
    secret = (await guests_here().admit("alice")).secret
    # Not in the key at its end: keys that differ only in case are the same, and so are their secrets.
    place %= len(secret) - len(".alice")
    assume(secret[place] != character)
    changed = secret[:place] + character + secret[place + 1 :]

    with pytest.raises(Unauthenticated):
        await guests_here().admit("alice", changed)


@pytest.mark.parametrize("name", [*sorted(RESERVED), "System", "dm:alice", "DM:x"])
async def test_the_servers_own_names_are_reserved(name: str) -> None:
    with pytest.raises(Conflict, match="reserved"):
        await guests_here().admit(name)


@pytest.mark.parametrize(
    "name",
    ["System ", " admin", "Sys\u200dtem", "\uff33ystem", "admin\u034f", "\ufe0fhere", "dm\u2065:alice"],
    ids=ascii,
)
async def test_a_name_that_looks_like_a_reserved_one_is_reserved(name: str) -> None:
    with pytest.raises(Conflict, match="reserved"):
        await guests_here().admit(name)


async def test_a_secret_does_not_give_a_reserved_name() -> None:
    guests = guests_here()
    mallory = await guests.admit("mallory")

    with pytest.raises(Conflict, match="reserved"):
        await guests.admit("system", mallory.secret)


@pytest.mark.parametrize("name", ["alice\u200d", "\uff41lice", "ALICE ", "alice\ufe0f", "al\U000e0100ice"], ids=ascii)
async def test_a_name_that_looks_like_one_in_use_is_taken(name: str) -> None:
    guests = guests_here()
    alice = await guests.admit("alice")
    with pytest.raises(Conflict, match="in use"):
        await guests.admit(name)

    guests.leave(alice.user)

    assert (await guests.admit(name)).user.name == name.strip()


async def test_beside_accounts_a_guest_gets_a_made_key() -> None:
    user = (await guests_here().admit("7", among_accounts=True)).user

    assert user.key.startswith("guest-")
    assert user.name == "7"


@pytest.mark.parametrize("name", ["x" * 65, " ", "\u200d", "\u3164", "\u202eecila", "a\x00"], ids=ascii)
async def test_the_error_for_an_invalid_name_names_the_field(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        await guests_here().admit(name)

    assert caught.value.errors is not None
    assert caught.value.errors[0]["loc"] == ["username"]


async def test_nothing_is_kept_for_guests_who_are_gone() -> None:
    guests = guests_here()
    admissions = [await guests.admit(f"guest {number}") for number in range(50)]

    for admission in admissions:
        guests.leave(admission.user)

    assert not guests._present
    assert not guests._names


async def test_a_guest_whose_link_broke_keeps_the_name_for_the_linger() -> None:
    now = [0.0]
    guests = guests_here(clock=lambda: now[0], linger=10.0)
    alice = await guests.admit("alice")
    guests.leave(alice.user, clean=False)
    now[0] = 9.9
    guests.tick()
    with pytest.raises(Conflict):
        await guests.admit("alice")

    assert (await guests.admit("alice", alice.secret)).user == alice.user
    guests.leave(alice.user, clean=False)
    now[0] = 15.0
    guests.tick()
    with pytest.raises(Conflict):
        await guests.admit("alice")
    now[0] = 19.9
    guests.tick()

    assert (await guests.admit("alice")).user.identity != alice.user.identity


async def test_a_guest_who_closes_frees_the_name_at_once() -> None:
    guests = guests_here(linger=10.0)
    guests.leave((await guests.admit("alice")).user, clean=True)

    assert (await guests.admit("alice")).user.key == "alice"


async def test_asking_why_a_handshake_is_refused_does_not_change_a_name() -> None:
    now = [0.0]
    guests = guests_here(clock=lambda: now[0], linger=10.0)
    alice = await guests.admit("alice")
    guests.leave(alice.user, clean=False)

    guests.withdraw((await guests.admit("alice", alice.secret)).user)
    with pytest.raises(Conflict):
        await guests.admit("alice")
    now[0] = 10.0
    guests.tick()
    guests.withdraw((await guests.admit("alice")).user)
    newcomer = await guests.admit("alice")

    assert newcomer.user.key == "alice"


async def test_a_late_end_of_a_connection_does_not_remove_the_keys_new_guest() -> None:
    displaced: list[User] = []
    guests = Guests(SigningKeys(KEY), clock=time.monotonic, displaced=displaced.append)
    first = await guests.admit("alice")
    guests.make_way("alice")
    second = await guests.admit("alice")

    guests.leave(first.user)

    assert displaced == [first.user]
    with pytest.raises(Conflict):
        await guests.admit("alice")
    guests.leave(second.user)
    assert not guests._present


async def test_beside_an_account_with_that_key_a_guest_gets_a_made_key() -> None:
    guests = Guests(SigningKeys(KEY), clock=time.monotonic, is_accounts=lambda key: key == "alice")

    user = (await guests.admit("alice")).user

    assert is_made_of(user.key, "alice")
    assert user.name == "alice"
