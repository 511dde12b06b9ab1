"""A publication as bytes between nodes."""

import pytest

from hubbub.broker.envelope import SENDER_BYTES, mark_of, pack, unpack
from hubbub.wire.codecs import CODECS, JSON_CODEC, MSGPACK_CODEC
from hubbub.wire.messages import MessageEvent
from hubbub.wire.publication import Publication

SENDER = bytes(range(SENDER_BYTES))
EVENT = {"type": "said", "text": "Grüße 👋"}


@pytest.mark.parametrize(
    "publication",
    [
        Publication("room:a", EVENT, position=1),
        Publication("room:a", EVENT, position=2**62, since=0),
        Publication("room:a", EVENT, ephemeral=True),
        Publication("room:a", EVENT),
        Publication.head("room:a", 2**40),
    ],
)
def test_a_publication_is_the_same_after_its_way(publication: Publication) -> None:
    received = unpack("room:a", pack(publication, SENDER))

    for name in ("channel", "position", "since", "ephemeral", "is_head"):
        assert getattr(received, name) == getattr(publication, name)
    if not publication.is_head:
        assert [received.payload(codec) for codec in CODECS] == [publication.payload(codec) for codec in CODECS]


def test_members_with_messagepack_get_the_same_event_on_every_node() -> None:
    data = {"float": 1.0, "large": 2**63 - 1, "list": [None, True, {}], "text": "\x00 👋"}
    event = MessageEvent(
        room="a", seq=1, rev=2, user="alice", name="Alice", kind="text", text="👋", ts="now", data=data
    )
    publication = Publication("room:a", event, position=2)

    received = unpack("room:a", pack(publication, SENDER))

    assert received.payload(MSGPACK_CODEC) == publication.payload(MSGPACK_CODEC)


def test_a_sender_knows_its_own_by_how_they_begin() -> None:
    packed = pack(Publication("room:a", EVENT), SENDER)

    assert packed.startswith(mark_of(SENDER))
    assert not packed.startswith(mark_of(SENDER[::-1]))


def test_what_was_received_may_be_published_again() -> None:
    received = unpack("room:a", pack(Publication("room:a", EVENT, position=3), SENDER))

    again = unpack("room:b", pack(received, SENDER))

    assert (again.channel, again.position) == ("room:b", 3)
    assert JSON_CODEC.decode(again.payload(JSON_CODEC)) == EVENT


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_a_part_of_a_publication_is_refused(cut: int) -> None:
    packed = pack(Publication("room:a", EVENT), SENDER)

    with pytest.raises(ValueError, match=r"too short|not as long"):
        unpack("room:a", packed[:cut])


def test_another_version_is_refused() -> None:
    packed = pack(Publication("room:a", EVENT), SENDER)

    with pytest.raises(ValueError, match="version 2"):
        unpack("room:a", b"\x02" + packed[1:])
