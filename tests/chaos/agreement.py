"""Whether what the database holds agrees with what people were acked and shown."""

from collections import Counter

from tests.chaos.kept import KeptRoom
from tests.chaos.people import Chatter, Memory


def check_room(kept: KeptRoom, room: str, memory: Memory) -> tuple[int, int]:
    """Compare the acks with the database. Returns how many messages are lost, and how many are duplicated."""
    acked = {said.seq: said for said in memory.said.values() if said.room == room}
    keys = {row.key for row in kept.rows}
    lost = sum(said.key not in keys for said in acked.values())
    # At the end everything is acked, so a message without an ack was stored twice.
    doubled = sum(row.seq not in acked for row in kept.rows)

    assert [row.seq for row in kept.rows] == list(range(1, kept.seq + 1))
    assert len({row.rev for row in kept.rows}) == len(kept.rows)
    assert max(row.rev for row in kept.rows) <= kept.rev
    # Each change took one rev, and each rev has a change. Changes whose acks were lost are counted too.
    assert 0 <= kept.rev - memory.changes[room] <= memory.unclear[room]

    reactions_to: dict[int, set[tuple[int, str, str]]] = {}
    for reaction in kept.reactions:
        reactions_to.setdefault(reaction[0], set()).add(reaction)
    for row in kept.rows:
        said = acked.get(row.seq)
        if said is None:
            continue
        assert (row.key, row.user, row.ts) == (said.key, said.user, said.ts)
        assert row.text == memory.texts[said.key]
        assert row.deleted is (said.key in memory.deleted)
        assert row.edited is (said.key in memory.edited and not row.deleted)
        shown = {(row.seq, emoji, user) for emoji, users in row.reactions for user in users}
        assert shown == reactions_to.get(row.seq, set())
    deleted = {row.seq for row in kept.rows if row.deleted}
    acked_reactions = {
        (seq, emoji, user) for (key, seq, emoji, user), on in memory.reactions.items() if on and key == room
    }
    assert kept.reactions == {reaction for reaction in acked_reactions if reaction[0] not in deleted}
    return lost, doubled


def check_heard(chatter: Chatter, kept: dict[str, KeptRoom]) -> None:
    """A client that never had to start over gave each message once."""
    times = Counter(chatter.heard)
    assert max(times.values()) == 1
    if not chatter.started_over:
        assert set(times) == {(room, row.seq) for room, of_room in kept.items() for row in of_room.rows}
