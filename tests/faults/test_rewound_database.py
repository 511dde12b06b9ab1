"""After a failover PostgreSQL may have lost the latest changes: connected clients must be told, too."""

from pathlib import Path

import psycopg

from hubbub.serving.app import create_app
from hubbub.settings import Settings
from hubbub.testing import serving


async def test_connected_clients_reconnect_and_start_over_when_a_new_epoch_begins(
    postgres: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres)
    async with serving(create_app(settings), settings=settings) as server:
        async with server.connect("/ws?username=alice") as alice:
            await alice.send({"type": "join", "room": "hall"})
            joined = await alice.expect("joined")
            await alice.send({"type": "message", "id": "1", "room": "hall", "text": "hello"})
            rev = (await alice.expect("ack", id="1"))["rev"]
            async with await psycopg.AsyncConnection.connect(postgres) as database:
                await database.execute(
                    "INSERT INTO epochs (number, name, origin, began) VALUES (2, 'new', 'failover', 0)"
                )
                await database.execute("DELETE FROM messages")
                await database.execute("UPDATE rooms SET seq = 0, rev = 0, epoch = 2")

            code, _ = await alice.closed()

        async with server.connect("/ws?username=alison") as alice:
            position = {"room": "hall", "rev": rev, "epoch": joined["epoch"]}
            await alice.send({"type": "join", "rooms": [position]})
            again = await alice.expect("joined")

    assert code == 1012
    assert again["recovered"] is False
    assert (again["epoch"], again["rev"], again["messages"]) == ("new", 0, [])
