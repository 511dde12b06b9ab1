"""A copy of the data directory is restored under a real server with clients: nobody continues from lost changes."""

import asyncio
import shutil

from hubbub.client import Client
from tests.conftest import ServerFactory
from tests.people import address, person


async def test_a_restored_copy_of_the_data_directory_is_noticed(serve: ServerFactory) -> None:
    server = serve()
    data, copy = server.folder / "hubbub-data", server.folder / "copy"
    async with Client(address(server), username="bob", first_wait=0.01, longest_wait=0.1) as bob:
        hall = await bob.join("hall")
        for number in range(5):
            await hall.send(f"kept {number}")
        async with person(server, "alice") as alice:
            epoch = (await alice.join("hall"))["epoch"]
        await asyncio.to_thread(shutil.copytree, data, copy)
        await asyncio.gather(*(hall.send(f"lost {number}") for number in range(5)))
        server.kill()
        shutil.rmtree(data)
        copy.rename(data)
        await asyncio.to_thread(server.start)
        # His own client starts over by itself, and the numbers are reached again.
        last = [await hall.send(f"new {number}") for number in range(10)][-1]
        while hall.view.rev != last.rev:
            await anext(bob)
        texts = [message.text for message in hall.messages]

    assert texts == [f"kept {number}" for number in range(5)] + [f"new {number}" for number in range(10)]
    async with person(server, "alice") as alice:
        answers = {
            rev: await alice.ask({"type": "join", "room": "hall", "rev": rev, "epoch": epoch}) for rev in (3, 5, 6, 10)
        }
    assert {rev: answer["recovered"] for rev, answer in answers.items()} == {3: True, 5: True, 6: False, 10: False}
    assert answers[5]["epoch"] != epoch


async def test_a_plain_restart_makes_nobody_start_over(serve: ServerFactory) -> None:
    server = serve()
    async with Client(address(server), username="bob", first_wait=0.01, longest_wait=0.1) as bob:
        hall = await bob.join("hall")
        positions: list[tuple[int, str | None]] = []
        for turn in range(3):
            last = await hall.send(f"turn {turn}")
            while hall.view.rev != last.rev:
                await anext(bob)
            positions.append((hall.view.rev or 0, hall.view.epoch))
            server.kill()
            await asyncio.to_thread(server.start)
        last = await hall.send("the last one")
        while hall.view.rev != last.rev:
            await anext(bob)

    assert [rev for rev, _ in positions] == [1, 2, 3]
    assert len({epoch for _, epoch in positions}) == 3
    async with person(server, "alice") as alice:
        for rev, epoch in positions:
            answer = await alice.ask({"type": "join", "room": "hall", "rev": rev, "epoch": epoch})
            assert (answer["recovered"], len(answer["messages"])) == (True, 4 - rev)
