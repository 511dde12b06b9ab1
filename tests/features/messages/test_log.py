"""The rooms' log on both engines: numbers without gaps, one message per key, and catching up that never lies."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubbub.errors import Conflict, Forbidden, NotFound, TooLarge
from hubbub.features.messages.log_batch import change_rooms
from hubbub.features.messages.log_changes import Changed
from hubbub.features.messages.log_check import check_rooms
from hubbub.features.messages.log_react import REACTION_KINDS, REACTION_USERS
from hubbub.features.messages.log_rows import new_message, types_of
from hubbub.features.messages.log_send import QUOTED
from hubbub.store.base import Engine, Transaction
from hubbub.store.database import Database
from hubbub.store.engines import engine_at
from hubbub.store.operations import check
from hubbub.store.statement import Statement
from hubbub.wire.identity import User
from hubbub.wire.messages import ChangedEvent, MessageEvent, Reaction
from hubbub.wire.rooms import RoomEvent
from tests.logbook import Logbook, send_request
from tests.store.databases import (
    Opener,
    database,
    new_engine,
    open_database,
    postgres_template,
    postgres_with_schema,
    run_sql,
    sqlite_template,
)

__all__ = ["database", "new_engine", "open_database", "postgres_template", "postgres_with_schema", "sqlite_template"]

ALICE = User("alice", "Alice")
BOB = User("bob", "Bob")
ROOM = "general"


@pytest.fixture
def log(database: Database) -> Logbook:
    return Logbook(database)


@pytest.fixture
async def messages(log: Logbook) -> list[int]:
    """Three messages of alice: their seqs are their revs."""
    return [(await log.send(ALICE, ROOM, f"message {number}")).seq for number in (1, 2, 3)]


async def row(log: Logbook, seq: int) -> MessageEvent:
    (message,) = (await log.history(ROOM, after=seq - 1, limit=1)).messages
    return message


# Sending.


async def test_a_message_is_numbered_and_read_back_as_it_was_announced(log: Logbook) -> None:
    sent = await log.send(ALICE, "General", "hello\n\tbob 🎉", key="key-00000001", data={"nested": [1, None, "\u0000"]})

    assert (sent.room, sent.seq, sent.rev) == ("General", 1, 1)
    assert sent.event is not None
    assert sent.event.text == "hello\n\tbob 🎉"
    page = await log.latest("GENERAL")
    assert page.messages == [sent.event]
    assert (page.head.room, page.head.seq, page.head.rev) == ("General", 1, 1)


async def test_many_senders_at_once_get_the_numbers_without_gap_or_double(log: Logbook) -> None:
    people = [User(f"user{number}", f"User {number}") for number in range(20)]

    sent = await asyncio.gather(
        *(log.send(author, f"room{turn % 3}", f"{turn}") for turn in range(15) for author in people)
    )

    for room in ("room0", "room1", "room2"):
        of_room = [one for one in sent if one.room == room]
        assert [one.seq for one in of_room] == list(range(1, 101))
        assert [one.rev for one in of_room] == list(range(1, 101))


async def test_the_same_key_again_gives_the_first_answer(log: Logbook) -> None:
    first = await log.send(ALICE, ROOM, "hello", key="key-00000001")
    await log.edit(ALICE, ROOM, first.seq, "hello, bob")

    again = await log.send(ALICE, ROOM, "hello", key="key-00000001")

    assert again.event is None
    assert (again.seq, again.rev, again.ts) == (first.seq, first.rev, first.ts)
    assert (await log.head(ROOM)).seq == 1


async def test_the_same_key_at_the_same_instant_is_one_message(log: Logbook) -> None:
    sent = await asyncio.gather(*(log.send(ALICE, ROOM, "hello", key="key-00000001") for _ in range(10)))

    assert {one.seq for one in sent} == {1}
    assert sum(one.event is not None for one in sent) == 1
    assert (await log.head(ROOM)).rev == 1


async def test_the_same_key_after_the_message_was_deleted_brings_nothing_back(log: Logbook) -> None:
    first = await log.send(ALICE, ROOM, "hello", key="key-00000001")
    await log.delete(ALICE, ROOM, first.seq)

    again = await log.send(ALICE, ROOM, "hello", key="key-00000001")

    assert (again.seq, again.event) == (first.seq, None)


@pytest.mark.parametrize("other", [{"text": "bye"}, {"reply_to": 1}, {"data": {"a": 1}}])
async def test_the_same_key_with_another_content_is_a_conflict(log: Logbook, other: dict[str, object]) -> None:
    await log.send(ALICE, ROOM, "hello", key="key-00000001")

    with pytest.raises(Conflict):
        await log.send(ALICE, ROOM, **{"text": "hello", "key": "key-00000001", **other})  # type: ignore[arg-type]

    assert (await log.head(ROOM)).rev == 1


async def test_a_key_counts_for_one_user_and_one_room(log: Logbook) -> None:
    await log.send(ALICE, ROOM, "hello", key="key-00000001")

    assert (await log.send(BOB, ROOM, "hello", key="key-00000001")).seq == 2
    assert (await log.send(ALICE, "other", "hello", key="key-00000001")).seq == 1


async def test_a_refused_request_takes_no_number_from_its_batch(log: Logbook) -> None:
    outcomes = await asyncio.gather(
        log.send(ALICE, ROOM, "one"),
        log.send(ALICE, ROOM, "reply to nothing", reply_to=99),
        log.send(ALICE, ROOM, "two"),
        log.edit(BOB, ROOM, 1, "not bob's"),
        log.send(ALICE, ROOM, "three"),
        return_exceptions=True,
    )

    assert isinstance(outcomes[1], NotFound)
    assert isinstance(outcomes[3], Forbidden)
    assert [message.seq for message in (await log.latest(ROOM)).messages] == [1, 2, 3]
    assert (await log.head(ROOM)).rev == 3


async def test_everything_committed_is_announced_even_if_nobody_waits(database: Database) -> None:
    committed: list[Changed[Any]] = []
    log = Logbook(database, committed=committed.append)
    impatient = asyncio.ensure_future(log.send(ALICE, ROOM, "hello"))
    await asyncio.sleep(0)
    impatient.cancel()

    await log.send(BOB, ROOM, "hello, alice")

    assert [outcome.rev for outcome in committed] == [1, 2]


async def test_a_name_that_changed_is_shown_on_older_messages_too(log: Logbook, messages: list[int]) -> None:
    await log.send(User("Alice", "Alice Liddell"), ROOM, "I married")

    page = await log.latest(ROOM)

    assert {(message.user, message.name) for message in page.messages} == {("alice", "Alice Liddell")}


# Replies.


async def test_a_reply_quotes_the_message_as_it_is_when_it_is_read(log: Logbook, messages: list[int]) -> None:
    await log.edit(ALICE, ROOM, 1, "x" * 1000)
    sent = await log.send(BOB, ROOM, "yes", reply_to=1)
    assert sent.event is not None
    assert sent.event.quote is not None
    assert sent.event.quote.text == "x" * QUOTED

    await log.delete(ALICE, ROOM, 1)

    quote = (await row(log, sent.seq)).quote
    assert quote is not None
    assert (quote.user, quote.text, quote.deleted) == ("alice", "", True)


async def test_a_reply_to_what_came_in_the_same_batch_finds_it(log: Logbook) -> None:
    _, reply = await asyncio.gather(log.send(ALICE, ROOM, "hello"), log.send(BOB, ROOM, "hi", reply_to=1))

    assert reply.event is not None
    assert reply.event.quote is not None
    assert reply.event.quote.text == "hello"


async def test_nobody_replies_to_a_deleted_message(log: Logbook, messages: list[int]) -> None:
    await log.delete(ALICE, ROOM, 1)

    with pytest.raises(NotFound):
        await log.send(BOB, ROOM, "what did you say?", reply_to=1)


# Changing.


async def test_an_edit_takes_a_rev_and_keeps_the_seq(log: Logbook, messages: list[int]) -> None:
    changed = await log.edit(ALICE, ROOM, 2, "better")

    assert changed.rev == 4
    assert isinstance(changed.event, ChangedEvent)
    message = await row(log, 2)
    assert (message.seq, message.rev, message.text) == (2, 4, "better")
    assert message.edited == changed.event.edited


async def test_a_request_that_changes_nothing_takes_no_rev(log: Logbook, messages: list[int]) -> None:
    await log.react(BOB, ROOM, 1, "👍")
    await log.pin(BOB, ROOM, 1)
    head = await log.head(ROOM)

    for nothing in (
        await log.edit(ALICE, ROOM, 1, "message 1"),
        await log.react(BOB, ROOM, 1, "👍"),
        await log.react(BOB, ROOM, 1, "🎉", on=False),
        await log.pin(ALICE, ROOM, 1),
        await log.pin(ALICE, ROOM, 2, on=False),
    ):
        assert nothing.event is None

    assert await log.head(ROOM) == head


async def test_only_who_wrote_a_message_edits_or_deletes_it(log: Logbook, messages: list[int]) -> None:
    for attempt in (log.edit(BOB, ROOM, 1, "mine"), log.delete(BOB, ROOM, 1)):
        with pytest.raises(Forbidden):
            await attempt

    assert (await log.delete(BOB, ROOM, 1, of_anybody=True)).event is not None


async def test_a_guest_who_takes_a_name_again_has_no_rights_on_what_the_first_one_wrote(log: Logbook) -> None:
    await log.send(User("alice", "Alice", identity="first"), ROOM, "hello")

    with pytest.raises(Forbidden):
        await log.edit(User("alice", "Alice", identity="second"), ROOM, 1, "bye")

    await log.edit(User("alice", "Alice", identity="first"), ROOM, 1, "hello, all")


async def test_a_deleted_message_leaves_only_a_tombstone(log: Logbook, database: Database, messages: list[int]) -> None:
    await log.send(ALICE, ROOM, "a secret", key="key-00000001", reply_to=1, data={"secret": True})
    await log.edit(ALICE, ROOM, 4, "another secret")
    await log.react(BOB, ROOM, 4, "👍")
    await log.pin(BOB, ROOM, 4)

    deleted = await log.delete(ALICE, ROOM, 4)

    message = await row(log, 4)
    assert isinstance(deleted.event, ChangedEvent)
    assert message.deleted == deleted.event.deleted
    shown = message.model_dump(exclude_none=True, exclude={"ts", "deleted"})
    assert shown == {
        "type": "message",
        "room": ROOM,
        "seq": 4,
        "rev": deleted.rev,
        "user": "alice",
        "name": "Alice",
        "kind": "text",
        "text": "",
        "key": "key-00000001",
    }
    assert await database.read(remains) == [[0, 0]]
    assert (await log.delete(ALICE, ROOM, 4)).event is None
    for attempt in (log.edit(ALICE, ROOM, 4, "back"), log.react(BOB, ROOM, 4, "👍"), log.pin(BOB, ROOM, 4)):
        with pytest.raises(NotFound):
            await attempt


def remains(transaction: Transaction) -> list[list[int]]:
    counts = Statement(
        "SELECT (SELECT count(*) FROM edits) AS edits, (SELECT count(*) FROM reactions) AS reactions",
        columns=("edits", "reactions"),
    )
    return [list(found) for found in transaction.rows(counts)]


async def test_the_former_texts_of_a_message_are_kept(log: Logbook, database: Database, messages: list[int]) -> None:
    await log.edit(ALICE, ROOM, 1, "second")
    await log.edit(ALICE, ROOM, 1, "third")

    edits = Statement("SELECT rev, text FROM edits ORDER BY rev", columns=("rev", "text"))
    found = await database.read(lambda transaction: [list(edit) for edit in transaction.rows(edits)])

    assert found == [[4, "message 1"], [5, "second"]]


async def test_reactions_are_counted_and_name_who(log: Logbook, messages: list[int]) -> None:
    await log.react(ALICE, ROOM, 1, "👍")
    await log.react(BOB, ROOM, 1, "👍")
    changed = await log.react(BOB, ROOM, 1, "🎉")

    expected = [
        Reaction(emoji="👍", count=2, users=["alice", "bob"]),
        Reaction(emoji="🎉", count=1, users=["bob"]),
    ]
    assert isinstance(changed.event, ChangedEvent)
    assert changed.event.reactions == expected
    assert (await row(log, 1)).reactions == expected

    await log.react(ALICE, ROOM, 1, "👍", on=False)
    last = await log.react(BOB, ROOM, 1, "👍", on=False)

    assert isinstance(last.event, ChangedEvent)
    assert last.event.reactions == expected[1:]


async def test_a_crowd_of_reactions_is_counted_in_full_and_named_in_part(log: Logbook, messages: list[int]) -> None:
    crowd = [User(f"user{number:02}", "User") for number in range(REACTION_USERS + 5)]
    await asyncio.gather(*(log.react(author, ROOM, 1, "👍") for author in crowd))

    reactions = (await row(log, 1)).reactions

    assert reactions is not None
    assert (reactions[0].count, len(reactions[0].users)) == (REACTION_USERS + 5, REACTION_USERS)


async def test_one_message_takes_only_so_many_kinds_of_reactions(log: Logbook, messages: list[int]) -> None:
    for number in range(REACTION_KINDS):
        await log.react(ALICE, ROOM, 1, chr(0x1F600 + number))

    with pytest.raises(TooLarge):
        await log.react(BOB, ROOM, 1, "👍")

    await log.react(BOB, ROOM, 1, chr(0x1F600))


async def test_pinned_messages_are_found(log: Logbook, messages: list[int]) -> None:
    await asyncio.gather(log.pin(BOB, ROOM, 1), log.pin(BOB, ROOM, 3), log.pin(BOB, ROOM, 2))
    await log.pin(ALICE, ROOM, 2, on=False)

    assert [message.seq for message in (await log.pinned(ROOM)).messages] == [1, 3]


async def test_changes_of_one_batch_are_done_in_the_order_in_which_they_came(log: Logbook, messages: list[int]) -> None:
    outcomes = await asyncio.gather(
        log.react(BOB, ROOM, 1, "👍"),
        log.edit(ALICE, ROOM, 1, "edited"),
        log.react(BOB, ROOM, 1, "👍", on=False),
        log.send(ALICE, ROOM, "in between"),
        log.edit(ALICE, ROOM, 4, "at once"),
        log.delete(ALICE, ROOM, 1),
        log.edit(ALICE, ROOM, 1, "too late"),
        return_exceptions=True,
    )

    assert [outcome.rev for outcome in outcomes if isinstance(outcome, Changed)] == [4, 5, 6, 7, 8, 9]
    assert isinstance(outcomes[-1], NotFound)
    assert [message.text for message in (await log.latest(ROOM)).messages] == ["", "message 2", "message 3", "at once"]


@pytest.mark.parametrize("room", [ROOM, "nowhere"])
async def test_a_missing_message_cannot_be_changed(log: Logbook, messages: list[int], room: str) -> None:
    for attempt in (
        log.edit(ALICE, room, 99, "x"),
        log.delete(ALICE, room, 99),
        log.react(ALICE, room, 99, "👍"),
        log.pin(ALICE, room, 99),
        log.trim(room, 99),
    ):
        with pytest.raises(NotFound):
            await attempt


# History.


async def test_history_pages_by_seq_in_both_directions(log: Logbook) -> None:
    await asyncio.gather(*(log.send(ALICE, ROOM, f"{number}") for number in range(1, 21)))

    async def seqs(**position: int) -> tuple[list[int | None], bool]:
        page = await log.history(ROOM, **position)
        return [message.seq for message in page.messages], page.more

    assert await seqs(limit=5) == ([16, 17, 18, 19, 20], True)
    assert await seqs(before=16, limit=5) == ([11, 12, 13, 14, 15], True)
    assert await seqs(before=4, limit=5) == ([1, 2, 3], False)
    assert await seqs(after=0, limit=5) == ([1, 2, 3, 4, 5], True)
    assert await seqs(after=17, limit=5) == ([18, 19, 20], False)
    assert await seqs(around=10, limit=5) == ([8, 9, 10, 11, 12], True)
    assert await seqs(around=1, limit=5) == ([1, 2, 3], True)


async def test_a_room_that_nobody_has_spoken_in_is_empty(log: Logbook) -> None:
    page = await log.latest("Quiet")

    assert (page.messages, page.more) == ([], False)
    assert (page.head.room, page.head.seq, page.head.rev) == ("Quiet", 0, 0)
    assert (await log.recover("Quiet", 0, page.head.epoch)).recovered


async def test_the_heads_of_many_rooms_come_in_their_order(log: Logbook) -> None:
    for number in range(5):
        await asyncio.gather(*(log.send(ALICE, f"room{number}", "hi") for _ in range(number)))

    heads = await log.heads(["room4", "room0", "ROOM2", "room4"])

    assert [(head.room, head.seq) for head in heads] == [("room4", 4), ("room0", 0), ("room2", 2), ("room4", 4)]


# Catching up.


async def test_a_client_that_comes_back_gets_each_changed_row_once_and_whole(log: Logbook, messages: list[int]) -> None:
    position = await log.head(ROOM)
    await log.send(BOB, ROOM, "new")
    await log.edit(ALICE, ROOM, 1, "edited")
    await log.delete(ALICE, ROOM, 2)
    await log.edit(ALICE, ROOM, 1, "edited again")

    recovery = await log.recover(ROOM, position.rev, position.epoch)

    assert recovery.recovered
    assert (recovery.since, recovery.head.rev) == (3, 7)
    rows = {message.seq: message for message in recovery.messages}
    assert set(rows) == {1, 2, 4}
    assert rows[1].text == "edited again"
    assert rows[2].deleted is not None
    assert {user.user for user in recovery.users} == {"alice", "bob"}


async def test_a_client_that_missed_nothing_gets_nothing(log: Logbook, messages: list[int]) -> None:
    position = await log.head(ROOM)

    recovery = await log.recover(ROOM, position.rev, position.epoch)

    assert (recovery.recovered, recovery.messages) == (True, [])


async def test_recovery_goes_on_page_by_page_over_what_changes_meanwhile(log: Logbook) -> None:
    epoch = (await log.head(ROOM)).epoch
    await asyncio.gather(*(log.send(ALICE, ROOM, f"{number}") for number in range(600)))

    recovering = asyncio.ensure_future(log.recover(ROOM, 0, epoch))
    while not recovering.done():
        await log.edit(ALICE, ROOM, 1, f"edited while it is read, in {await log.head(ROOM)}")

    recovery = await recovering
    rows = {message.seq: message for message in recovery.messages}
    assert recovery.recovered
    assert len(recovery.messages) == len(rows) == 600
    assert max(message.rev or 0 for message in recovery.messages) == recovery.head.rev


@pytest.mark.parametrize("limits", [{"max_rows": 10}, {"max_bytes": 5_000}])
async def test_too_much_to_recover_begins_anew_with_the_latest(log: Logbook, limits: dict[str, int]) -> None:
    epoch = (await log.head(ROOM)).epoch
    await asyncio.gather(*(log.send(ALICE, ROOM, f"{number}") for number in range(30)))

    recovery = await log.recover(ROOM, 1, epoch, latest=3, **limits)

    assert (recovery.recovered, recovery.since) == (False, 0)
    assert [message.seq for message in recovery.messages] == [28, 29, 30]
    assert (await log.recover(ROOM, 25, epoch, **limits)).recovered


async def test_a_position_that_is_not_of_this_life_is_not_recovered(log: Logbook, messages: list[int]) -> None:
    epoch = (await log.head(ROOM)).epoch

    assert not (await log.recover(ROOM, 3, "another")).recovered
    assert not (await log.recover(ROOM, 4, epoch)).recovered
    assert not (await log.recover(ROOM, 2**53 - 1, epoch)).recovered
    assert (await log.recover(ROOM, 3, epoch)).recovered


async def test_trimmed_messages_cannot_be_recovered(log: Logbook, messages: list[int]) -> None:
    epoch = (await log.head(ROOM)).epoch
    await log.edit(ALICE, ROOM, 1, "edited")

    trimmed = await log.trim(ROOM, 2)

    assert isinstance(trimmed.event, RoomEvent)
    assert (trimmed.event.rev, trimmed.event.floor) == (5, 2)
    assert [message.seq for message in (await log.latest(ROOM)).messages] == [3]
    assert not (await log.recover(ROOM, 3, epoch)).recovered
    assert (await log.recover(ROOM, 4, epoch)).recovered
    assert (await log.trim(ROOM, 1)).event is None
    assert (await log.send(ALICE, ROOM, "after")).seq == 4


async def test_a_trim_takes_its_place_among_the_changes_of_its_batch(log: Logbook, messages: list[int]) -> None:
    outcomes = await asyncio.gather(
        log.edit(ALICE, ROOM, 1, "edited, then forgotten"),
        log.react(BOB, ROOM, 3, "👍"),
        log.send(ALICE, ROOM, "four"),
        log.trim(ROOM, 4),
        log.trim(ROOM, 2),
        log.pin(BOB, ROOM, 3),
        log.send(BOB, ROOM, "an answer to what is gone", reply_to=4),
        log.trim("elsewhere", 1),
        log.send(BOB, ROOM, "five"),
        return_exceptions=True,
    )

    gone = {5, 6, 7}
    assert {place for place, outcome in enumerate(outcomes) if isinstance(outcome, NotFound)} == gone
    assert [one.rev for one in outcomes if isinstance(one, Changed)] == [4, 5, 6, 7, 7, 8]
    head = await log.head(ROOM)
    assert (head.seq, head.rev, head.floor, head.floor_rev) == (5, 8, 4, 6)
    assert [message.text for message in (await log.latest(ROOM)).messages] == ["five"]


async def test_a_trim_removes_what_its_batch_wrote_of_the_messages(
    log: Logbook, database: Database, messages: list[int]
) -> None:
    await asyncio.gather(
        log.edit(ALICE, ROOM, 1, "edited"), log.react(BOB, ROOM, 2, "👍"), log.delete(ALICE, ROOM, 3), log.trim(ROOM, 3)
    )

    def left(transaction: Transaction) -> list[int]:
        tables = ("messages", "edits", "reactions")
        counts = [Statement(f"SELECT count(*) AS n FROM {table}", columns=("n",)) for table in tables]
        return [transaction.rows(count)[0][0] for count in counts]

    assert await database.read(left) == [0, 0, 0]


async def test_a_restart_keeps_the_numbers_and_the_positions(
    new_engine: Callable[[], Engine], open_database: Opener
) -> None:
    first = await open_database(new_engine())
    await Logbook(first).send(ALICE, ROOM, "before", key="key-00000001")
    head = await Logbook(first).head(ROOM)
    await first.stop()

    log = Logbook(await open_database(new_engine()))

    assert replace(await log.head(ROOM), epoch=head.epoch) == head
    assert (await log.send(ALICE, ROOM, "before", key="key-00000001")).event is None
    assert (await log.send(ALICE, ROOM, "after")).rev == 2
    assert (await log.recover(ROOM, 1, head.epoch)).recovered


def test_a_transaction_that_fails_after_the_numbers_were_taken_leaves_no_hole(
    new_engine: Callable[[], Engine],
) -> None:
    engine = new_engine()
    engine.prepare()
    writer = engine.open_writer()

    def send(transaction: Transaction, text: str, author: User = ALICE) -> Changed[Any] | Exception:
        (outcome,) = change_rooms(transaction, [send_request(author, ROOM, text)], clock=lambda: 0.0)
        return outcome

    def send_and_fail(transaction: Transaction) -> None:
        send(transaction, "lost", User("alice", "Alice, renamed"))
        send(transaction, "lost too", BOB)
        raise ZeroDivisionError

    try:
        first = writer.transact(lambda transaction: send(transaction, "one"))
        with pytest.raises(ZeroDivisionError):
            writer.transact(send_and_fail)
        second = writer.transact(lambda transaction: send(transaction, "two"))
        third = writer.transact(lambda transaction: send(transaction, "three", BOB))
    finally:
        writer.close()
        engine.release()

    sents = [sent for sent in (first, second, third) if isinstance(sent, Changed)]
    assert [(sent.seq, sent.rev) for sent in sents] == [(1, 1), (2, 2), (3, 3)]
    assert [sent.event.name for sent in sents if sent.event is not None] == ["Alice", "Alice", "Bob"]


async def test_a_message_that_cannot_be_published_is_stored_and_answered(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(outcome: Changed[Any]) -> None:
        raise ZeroDivisionError

    log = Logbook(database, committed=fail)

    assert [(await log.send(ALICE, ROOM, text)).seq for text in ("one", "two")] == [1, 2]
    assert len(caplog.records) == 2


async def test_the_same_key_on_two_nodes_at_the_same_instant_is_one_message(
    postgres_with_schema: str, open_database: Opener, tmp_path: Path
) -> None:
    nodes = [Logbook(await open_database(engine_at(tmp_path, postgres_with_schema))) for _ in range(2)]

    sends = [node.send(ALICE, ROOM, f"{number}", key=f"key-{number:08}") for number in range(50) for node in nodes]
    sent = await asyncio.gather(*sends)
    pairs = list(zip(sent[::2], sent[1::2], strict=True))
    refused = await asyncio.gather(
        *(node.send(ALICE, ROOM, "something else", key="key-00000007") for node in nodes), return_exceptions=True
    )

    assert all((one.seq, one.rev) == (other.seq, other.rev) for one, other in pairs)
    assert sorted(one.seq for one, _ in pairs) == list(range(1, 51))
    assert all((one.event is None) is not (other.event is None) for one, other in pairs)
    assert [type(error) for error in refused] == [Conflict, Conflict]
    assert (await nodes[0].head(ROOM)).rev == 50


async def test_a_thousand_who_come_back_at_once_share_their_reads(database: Database, log: Logbook) -> None:
    epoch = (await log.head(ROOM)).epoch
    await asyncio.gather(*(log.send(ALICE, ROOM, f"{number}") for number in range(100)))
    reads = 0
    read = database.read

    async def counted(work: Callable[[Transaction], object]) -> object:
        nonlocal reads
        reads += 1
        return await read(work)

    database.read = counted  # type: ignore[method-assign, assignment]

    recoveries = await asyncio.gather(*(log.recover(ROOM, 40, epoch) for _ in range(1000)))

    assert all(len(recovery.messages) == 60 for recovery in recoveries)
    assert reads == 1


async def test_nobody_is_given_a_page_that_is_older_than_what_was_committed(log: Logbook) -> None:
    epoch = (await log.head(ROOM)).epoch

    for number in range(1, 50):
        reading = asyncio.ensure_future(log.recover(ROOM, 0, epoch))
        sent = await log.send(ALICE, ROOM, f"{number}")
        assert (await log.recover(ROOM, 0, epoch)).head.rev >= sent.rev
        await reading


async def test_the_log_is_what_it_promises_after_all_kinds_of_changes(
    new_engine: Callable[[], Engine], open_database: Opener
) -> None:
    engine = new_engine()
    database = await open_database(engine)
    log = Logbook(database)
    people = [User(f"user{number}", "User") for number in range(5)]
    for turn in range(20):
        await asyncio.gather(
            *(log.send(author, ROOM, f"{turn}") for author in people),
            *(log.react(author, ROOM, turn + 1, "👍") for author in people),
            *(log.delete(author, ROOM, turn * 5 + place, of_anybody=True) for place, author in enumerate(people, 1)),
            return_exceptions=True,
        )
    await log.trim(ROOM, 10)

    assert check(engine, check_rooms) == []

    await database.stop()


async def test_damage_is_found(new_engine: Callable[[], Engine], open_database: Opener) -> None:
    engine = new_engine()
    database = await open_database(engine)
    log = Logbook(database)
    await asyncio.gather(*(log.send(ALICE, ROOM, f"{number}") for number in range(5)))
    for damage in (
        "DELETE FROM messages WHERE seq = 3",
        "UPDATE rooms SET rev = 4",
        "UPDATE messages SET deleted = 1 WHERE seq = 1",
    ):
        await database.write(run_sql, damage)

    problems = check(engine, check_rooms)

    assert [problem.partition(",")[0] for problem in problems] == [
        "room general: 4 messages up to 5",
        "room general: its latest change is 5",
        "room general: message 1 was deleted",
    ]


def test_a_new_message_s_row_has_its_values_in_the_order_of_its_columns() -> None:
    columns = list(types_of(new_message))

    assert new_message(**{column: column for column in columns}) == tuple(columns)  # type: ignore[arg-type]
