"""Several servers share the channels."""

from collections import Counter

from hubbub.broker.ring import Ring

CHANNELS = [f"room:{number}" for number in range(10_000)]


def test_each_server_has_about_its_share() -> None:
    shares = Counter(map(Ring(3).place, CHANNELS))

    assert sorted(shares) == [0, 1, 2]
    assert all(2_700 < share < 4_000 for share in shares.values())


def test_one_more_server_takes_channels_over_and_moves_no_other() -> None:
    before, after = Ring(3), Ring(4)

    moved = [channel for channel in CHANNELS if before.place(channel) != after.place(channel)]

    assert {after.place(channel) for channel in moved} == {3}
    assert 1_800 < len(moved) < 3_200


def test_a_place_is_the_same_on_every_node_and_in_every_release() -> None:
    # Nodes of two releases run side by side during an upgrade.
    assert [Ring(3).place(channel) for channel in CHANNELS[:12]] == [2, 0, 1, 1, 1, 1, 0, 0, 2, 2, 1, 2]
