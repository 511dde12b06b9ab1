"""What a room's view does besides the golden timelines: it is bounded, and knows its own beginning."""

from hubbub.client.view import RoomView, Verdict
from hubbub.wire.identity import OnlineUser
from hubbub.wire.messages import HistoryPage, MessageEvent
from hubbub.wire.rooms import Joined, JoinEvent, LeaveEvent, Online


def message(seq: int) -> MessageEvent:
    return MessageEvent(room="hall", seq=seq, rev=seq, user="bob", name="Bob", text=str(seq), ts="")


def hall(first: int, last: int, *, floor: int = 0, kept: int = 1000) -> RoomView:
    """A view that begins with the messages from `first` to `last`."""
    view = RoomView("hall", kept=kept)
    messages = [message(seq) for seq in range(first, last + 1)]
    joined = Joined(
        room="hall",
        name="Hall",
        online=1,
        users=[OnlineUser(user="bob", name="Bob")],
        epoch="e1",
        seq=last,
        rev=last,
        floor=floor,
        messages=messages,
        recovered=False,
    )
    assert view.joined(joined) is Verdict.APPLIED
    return view


def page(*seqs: int) -> HistoryPage:
    return HistoryPage(room="hall", rev=100, users=[], messages=[message(seq) for seq in seqs], more=False)


def seqs(view: RoomView) -> list[int | None]:
    return [message.seq for message in view.messages]


def test_only_the_latest_messages_are_kept() -> None:
    view = hall(1, 3, kept=3)

    view.changed(message(4))

    assert seqs(view) == [2, 3, 4]
    assert view.has_earlier


def test_an_adjacent_page_is_added_before_the_messages_and_stays() -> None:
    view = hall(8, 10, kept=3)

    view.page(page(5, 6, 7))
    view.changed(message(11))

    assert seqs(view) == [6, 7, 8, 9, 10, 11]
    assert view.first == 6


def test_a_page_that_would_leave_a_gap_is_not_added() -> None:
    view = hall(8, 10)

    view.page(page(3, 4, 5))

    assert seqs(view) == [8, 9, 10]


def test_a_view_that_began_with_nothing_begins_with_a_page() -> None:
    view = hall(11, 10)

    view.page(page(9, 10))

    assert seqs(view) == [9, 10]


def test_nothing_is_earlier_than_the_floor() -> None:
    view = hall(4, 5, floor=3)

    view.page(page(2, 3))

    assert not view.has_earlier
    assert seqs(view) == [4, 5]


def test_a_page_before_the_room_is_joined_is_not_added() -> None:
    view = RoomView("hall")

    view.page(page(1, 2))

    assert view.messages == []


def test_a_numbered_event_before_the_room_is_joined_is_a_gap() -> None:
    assert RoomView("hall").changed(message(1)) is Verdict.GAP


def test_people_come_and_go() -> None:
    view = hall(1, 1)

    view.people_changed(JoinEvent(room="hall", user="Zoe", name="Zoë", online=2))
    assert (view.online, list(view.people)) == (2, ["bob", "zoe"])

    view.people_changed(LeaveEvent(room="hall", user="zoe", name="Zoë", online=1))
    assert (view.online, list(view.people)) == (1, ["bob"])

    view.people_changed(Online(room="hall", online=140))
    assert view.online == 140


def test_comings_and_goings_that_joined_already_contains_change_nothing() -> None:
    view = hall(1, 1)

    # Zoe left, and Bob joined, while the answer to `join` was made.
    view.people_changed(LeaveEvent(room="hall", user="zoe", name="Zoë", online=0))
    view.people_changed(JoinEvent(room="hall", user="Bob", name="Bob", online=1))

    assert (view.online, list(view.people)) == (1, ["bob"])
