-- What the migrations make of an empty SQLite file, so that a first start need not run them one by one.
-- A test holds the two equal; after a new migration, write this file again: python -m tests.store.write_schema

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE epochs (
    number INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    origin TEXT NOT NULL, 
    began BIGINT NOT NULL, 
    timeline TEXT, 
    PRIMARY KEY (number), 
    UNIQUE (name)
);

CREATE TABLE rooms (
    id INTEGER NOT NULL, 
    "key" TEXT NOT NULL, 
    folded TEXT NOT NULL, 
    seq BIGINT NOT NULL, 
    rev BIGINT NOT NULL, 
    floor BIGINT NOT NULL, 
    floor_rev BIGINT NOT NULL, 
    epoch BIGINT NOT NULL, guarded BIGINT DEFAULT '0' NOT NULL, 
    PRIMARY KEY (id), 
    UNIQUE (folded)
);

CREATE TABLE edits (
    room_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    rev BIGINT NOT NULL, 
    text TEXT NOT NULL, 
    PRIMARY KEY (room_id, seq, rev), 
    FOREIGN KEY(room_id) REFERENCES rooms (id)
);

CREATE TABLE reactions (
    room_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    emoji TEXT NOT NULL, 
    user_id BIGINT NOT NULL, 
    PRIMARY KEY (room_id, seq, emoji, user_id), 
    FOREIGN KEY(room_id) REFERENCES rooms (id), 
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE "messages" (
    room_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    first_rev BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    ts BIGINT NOT NULL,
    "key" TEXT,
    digest BIGINT,
    reply_to BIGINT,
    data TEXT,
    edited BIGINT,
    deleted BIGINT,
    pinned BIGINT,
    reactions TEXT,
    PRIMARY KEY (room_id, seq),
    FOREIGN KEY(room_id) REFERENCES rooms (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
) WITHOUT ROWID
;

CREATE UNIQUE INDEX messages_key ON messages ("key", user_id, room_id) WHERE key IS NOT NULL;

CREATE INDEX messages_pinned ON messages (room_id, seq) WHERE pinned IS NOT NULL;

CREATE UNIQUE INDEX messages_changed ON messages (room_id, rev) WHERE rev <> first_rev;

CREATE TABLE deferred (id INTEGER PRIMARY KEY, statement TEXT NOT NULL, rows TEXT NOT NULL);

CREATE TABLE room_ends (
    room_id BIGINT NOT NULL, 
    epoch BIGINT NOT NULL, 
    rev BIGINT NOT NULL, 
    PRIMARY KEY (room_id, epoch), 
    FOREIGN KEY(room_id) REFERENCES rooms (id)
)
 WITHOUT ROWID

;

CREATE TABLE "users" (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    folded TEXT NOT NULL,
    identity TEXT NOT NULL,
    name TEXT NOT NULL, color TEXT,
    PRIMARY KEY (id),
    UNIQUE (folded)
);

CREATE UNIQUE INDEX users_identity ON users (identity) WHERE identity <> '';

CREATE TABLE cluster (
    one BIGINT NOT NULL, 
    id TEXT NOT NULL, 
    signing_key TEXT, 
    secret_fingerprint TEXT, 
    PRIMARY KEY (one)
);

CREATE TABLE room_settings (
    room_id BIGINT NOT NULL, 
    kind TEXT NOT NULL, 
    title TEXT, 
    description TEXT, 
    archived BIGINT NOT NULL, 
    slow BIGINT NOT NULL, 
    changed BIGINT NOT NULL, 
    PRIMARY KEY (room_id), 
    FOREIGN KEY(room_id) REFERENCES rooms (id)
);

CREATE TABLE room_people (
    room_id BIGINT NOT NULL, 
    user_id BIGINT NOT NULL, 
    role TEXT NOT NULL, 
    muted BIGINT NOT NULL, 
    banned BIGINT NOT NULL, 
    spoke BIGINT NOT NULL, 
    PRIMARY KEY (room_id, user_id), 
    FOREIGN KEY(room_id) REFERENCES rooms (id), 
    FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITHOUT ROWID

;

CREATE INDEX room_people_of_user ON room_people (user_id, room_id);

CREATE TABLE audit (
    id TEXT NOT NULL, 
    at BIGINT NOT NULL, 
    actor TEXT NOT NULL, 
    action TEXT NOT NULL, 
    target TEXT NOT NULL, 
    detail TEXT NOT NULL, 
    PRIMARY KEY (id)
);
