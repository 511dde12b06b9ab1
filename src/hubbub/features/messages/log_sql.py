"""The statements of the rooms' logs. A batch runs each of them once at most, those of `log_trim` once for each room."""

from __future__ import annotations

from hubbub.features.messages.log_rows import KeyedMessage, ReadMessage, RoomHead, new_message, types_of
from hubbub.store.statement import Statement

ENDS_KEPT = 50
"""For how many epochs a room keeps its last rev: 6 MB for 10,000 rooms, if all of them change between any two
starts."""

RENAME_USERS = Statement(
    "UPDATE users SET name = renamed.name FROM {renamed} AS renamed WHERE users.id = renamed.id",
    tables={"renamed": {"id": int, "name": str}},
    never_deferred=True,
)

FIND_ROOMS = Statement(
    "SELECT rooms.id, rooms.folded FROM {wanted} AS wanted JOIN rooms ON rooms.folded = wanted.folded",
    columns=("id", "folded"),
    tables={"wanted": {"folded": str}},
)

ADD_ROOMS = Statement(
    """
    INSERT INTO rooms (key, folded, seq, rev, floor, floor_rev, epoch)
    SELECT key, folded, 0, 0, 0, 0, (SELECT max(number) FROM epochs)
    FROM {added} AS added WHERE true ORDER BY folded
    ON CONFLICT DO NOTHING
    """,
    tables={"added": {"key": str, "folded": str}},
)

LOCK_ROOMS = Statement(
    """
    SELECT id, key, seq, rev, floor, guarded FROM rooms
    WHERE id IN (SELECT id FROM {wanted} AS wanted) ORDER BY id {for_update}
    """,
    columns=("id", "key", "seq", "rev", "floor", "guarded"),
    tables={"wanted": {"id": int}},
)

KEEP_ENDS = Statement(
    """
    INSERT INTO room_ends (room_id, epoch, rev)
    SELECT id, epoch, rev FROM rooms
    WHERE id IN (SELECT id FROM {wanted} AS wanted) AND epoch < (SELECT max(number) FROM epochs)
    ON CONFLICT DO NOTHING
    """,
    tables={"wanted": {"id": int}},
)
FORGET_ENDS = Statement(
    f"""
    DELETE FROM room_ends WHERE (room_id, epoch) IN (
        SELECT room_id, epoch FROM (
            SELECT room_id, epoch, row_number() OVER (PARTITION BY room_id ORDER BY epoch DESC) AS place
            FROM room_ends WHERE room_id IN (SELECT id FROM {{wanted}} AS wanted)
        ) AS ends
        WHERE place > {ENDS_KEPT}
    )
    """,  # noqa: S608 - a number of this program
    tables={"wanted": {"id": int}},
)

# It may run for several batches at once, with several positions of one room.
MOVE_HEADS = Statement(
    """
    UPDATE rooms SET seq = head.seq, rev = head.rev, epoch = (SELECT max(number) FROM epochs)
    FROM (SELECT id, max(seq) AS seq, max(rev) AS rev FROM {head} AS moved GROUP BY id) AS head
    WHERE rooms.id = head.id
    """,
    tables={"head": {"id": int, "seq": int, "rev": int}},
    deferrable="move heads",
)

ADD_MESSAGES = Statement(
    """
    INSERT INTO messages (room_id, seq, rev, first_rev, user_id, kind, text, ts, key, digest, reply_to, data)
    SELECT room_id, seq, rev, rev, user_id, kind, text, ts, key, digest, reply_to, data FROM {added} AS added
    """,
    tables={"added": types_of(new_message)},
    deferrable="add messages",
)

FIND_KEYS = Statement(
    """
    SELECT messages.room_id, messages.user_id, messages.key, digest, seq, first_rev AS rev, ts
    FROM {wanted} AS wanted
    JOIN messages ON messages.room_id = wanted.room_id AND messages.user_id = wanted.user_id
        AND messages.key = wanted.key
    """,
    columns=("room_id", "user_id", "key", *types_of(KeyedMessage)),
    tables={"wanted": {"room_id": int, "user_id": int, "key": str}},
    finds_deferred=ADD_MESSAGES,
)

FIND_MESSAGES = Statement(
    """
    SELECT messages.room_id, messages.seq, messages.rev, user_id, text, edited, deleted, pinned, reactions,
        users.key AS user_key, users.name
    FROM {wanted} AS wanted
    JOIN messages ON messages.room_id = wanted.room_id AND messages.seq = wanted.seq
    JOIN users ON users.id = messages.user_id
    """,
    columns=(
        "room_id",
        "seq",
        "rev",
        "user_id",
        "text",
        "edited",
        "deleted",
        "pinned",
        "reactions",
        "user_key",
        "name",
    ),
    tables={"wanted": {"room_id": int, "seq": int}},
)

CHANGE_MESSAGES = Statement(
    """
    UPDATE messages SET rev = changed.rev, text = changed.text, edited = changed.edited, pinned = changed.pinned,
        reactions = changed.reactions
    FROM {changed} AS changed WHERE messages.room_id = changed.room_id AND messages.seq = changed.seq
    """,
    tables={
        "changed": {
            "room_id": int,
            "seq": int,
            "rev": int,
            "text": str,
            "edited": int,
            "pinned": int,
            "reactions": str,
        }
    },
)

BURY_MESSAGES = Statement(
    """
    UPDATE messages SET rev = buried.rev, deleted = buried.deleted, text = '', data = NULL, digest = NULL,
        reply_to = NULL, edited = NULL, pinned = NULL, reactions = NULL
    FROM {buried} AS buried WHERE messages.room_id = buried.room_id AND messages.seq = buried.seq
    """,
    tables={"buried": {"room_id": int, "seq": int, "rev": int, "deleted": int}},
)

_SAME_MESSAGE = "WHERE (room_id, seq) IN (SELECT room_id, seq FROM {buried} AS buried)"
_BURIED = {"buried": {"room_id": int, "seq": int}}
FORGET_EDITS = Statement(f"DELETE FROM edits {_SAME_MESSAGE}", tables=_BURIED)  # noqa: S608
FORGET_REACTIONS = Statement(f"DELETE FROM reactions {_SAME_MESSAGE}", tables=_BURIED)  # noqa: S608

KEEP_EDITS = Statement(
    "INSERT INTO edits (room_id, seq, rev, text) SELECT room_id, seq, rev, text FROM {kept} AS kept",
    tables={"kept": {"room_id": int, "seq": int, "rev": int, "text": str}},
)

_REACTION = {"room_id": int, "seq": int, "emoji": str, "user_id": int}
FIND_REACTIONS = Statement(
    """
    SELECT reactions.room_id, reactions.seq, reactions.emoji, reactions.user_id
    FROM {wanted} AS wanted
    JOIN reactions ON reactions.room_id = wanted.room_id AND reactions.seq = wanted.seq
        AND reactions.emoji = wanted.emoji AND reactions.user_id = wanted.user_id
    """,
    columns=tuple(_REACTION),
    tables={"wanted": _REACTION},
)
ADD_REACTIONS = Statement(
    """
    INSERT INTO reactions (room_id, seq, emoji, user_id)
    SELECT room_id, seq, emoji, user_id FROM {added} AS added
    """,
    tables={"added": _REACTION},
)
REMOVE_REACTIONS = Statement(
    """
    DELETE FROM reactions
    WHERE (room_id, seq, emoji, user_id) IN (SELECT room_id, seq, emoji, user_id FROM {removed} AS removed)
    """,
    tables={"removed": _REACTION},
)

LATEST_REV_UP_TO = Statement(
    "SELECT max(rev) AS rev FROM messages WHERE room_id = :room_id AND seq <= :seq", columns=("rev",)
)
FORGET_MESSAGES = tuple(
    Statement(f"DELETE FROM {table} WHERE room_id = :room_id AND seq <= :seq")  # noqa: S608 - our own tables
    for table in ("reactions", "edits", "messages")
)
RAISE_FLOOR = Statement(
    """
    UPDATE rooms SET floor = :floor, floor_rev = CASE WHEN floor_rev < :rev THEN :rev ELSE floor_rev END
    WHERE id = :room_id
    """
)

REACTED_TO = Statement(
    """
    SELECT messages.room_id, messages.seq, messages.reactions
    FROM messages
    WHERE messages.reactions IS NOT NULL AND (messages.room_id, messages.seq) IN (
        SELECT reactions.room_id, reactions.seq FROM reactions WHERE reactions.user_id = :user_id
    )
    """,
    columns=("room_id", "seq", "reactions"),
)
SHOW_REACTIONS = Statement(
    """
    UPDATE messages SET reactions = shown.reactions
    FROM {shown} AS shown WHERE messages.room_id = shown.room_id AND messages.seq = shown.seq
    """,
    tables={"shown": {"room_id": int, "seq": int, "reactions": str}},
)

_MESSAGE = """
    SELECT messages.seq, messages.rev, users.key AS user_key, users.name AS name, users.color,
        CASE WHEN users.identity = '' THEN 0 ELSE 1 END AS guest, messages.kind, messages.text, messages.ts,
        messages.key, messages.reply_to, messages.data, messages.edited, messages.deleted, messages.pinned,
        messages.reactions, quoted_users.key AS quoted_key, quoted_users.name AS quoted_name,
        substr(quoted.text, 1, :quoted) AS quoted_text, quoted.deleted AS quoted_deleted
    FROM messages JOIN users ON users.id = messages.user_id
    LEFT JOIN messages AS quoted ON quoted.room_id = messages.room_id AND quoted.seq = messages.reply_to
    LEFT JOIN users AS quoted_users ON quoted_users.id = quoted.user_id
    WHERE messages.room_id = :room_id AND
"""

HEADS = Statement(
    """
    SELECT wanted.folded, rooms.id, coalesce(rooms.seq, 0) AS seq, coalesce(rooms.rev, 0) AS rev,
        coalesce(rooms.floor, 0) AS floor, coalesce(rooms.floor_rev, 0) AS floor_rev,
        coalesce(rooms.epoch, 0) AS changed_in,
        (SELECT name FROM epochs ORDER BY number DESC LIMIT 1) AS epoch, rooms.key
    FROM {wanted} AS wanted LEFT JOIN rooms ON rooms.folded = wanted.folded
    """,
    columns=RoomHead._fields,
    tables={"wanted": {"folded": str}},
)
# A room that began in a later epoch had the rev 0 then. If the oldest ends are forgotten, a smaller rev is safe.
EPOCH = Statement(
    """
    SELECT epochs.number, coalesce(
        (SELECT room_ends.rev FROM room_ends
         WHERE room_ends.room_id = :room_id AND room_ends.epoch <= epochs.number
         ORDER BY room_ends.epoch DESC LIMIT 1),
        0) AS ended
    FROM epochs WHERE epochs.name = :name
    """,
    columns=("number", "ended"),
)

# Rows that never changed have no entry in the index over revs. Their revs rise with their seqs, so the last message
# that a client knows is found by binary search. What it does not know comes after that one.
CHANGED_SINCE = Statement(
    _MESSAGE  # noqa: S608 - no value is put in
    + """
    messages.seq IN (
        WITH RECURSIVE known (low, high) AS (
            SELECT cast(:floor AS bigint), cast(:seq AS bigint)
            UNION ALL
            SELECT CASE WHEN middle.first_rev <= :rev THEN middle.seq ELSE known.low END,
                CASE WHEN middle.first_rev <= :rev THEN known.high ELSE middle.seq - 1 END
            FROM known JOIN messages AS middle
                ON middle.room_id = :room_id AND middle.seq = (known.low + known.high + 1) / 2
            WHERE known.low < known.high
        ),
        changed AS (
            SELECT seq, rev FROM messages
            WHERE room_id = :room_id AND rev <> first_rev AND rev > :rev
            ORDER BY rev LIMIT :limit
        ),
        unchanged AS (
            SELECT seq, rev FROM messages
            WHERE room_id = :room_id AND rev = first_rev AND rev > :rev
                AND seq > coalesce((SELECT low FROM known WHERE low = high), :floor)
            ORDER BY seq LIMIT :limit
        )
        SELECT seq FROM (SELECT seq, rev FROM changed UNION ALL SELECT seq, rev FROM unchanged) AS missed
        ORDER BY rev LIMIT :limit
    )
    ORDER BY messages.rev
    """,
    columns=ReadMessage._fields,
)
BEFORE = Statement(
    _MESSAGE + "messages.seq < :seq ORDER BY messages.seq DESC LIMIT :limit", columns=ReadMessage._fields
)
AFTER = Statement(_MESSAGE + "messages.seq > :seq ORDER BY messages.seq LIMIT :limit", columns=ReadMessage._fields)
PINNED = Statement(
    _MESSAGE + "messages.pinned IS NOT NULL ORDER BY messages.seq DESC LIMIT :limit", columns=ReadMessage._fields
)
