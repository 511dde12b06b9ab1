"""Each message is a line of its own, and people with the same name can be distinguished."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.conftest import PageFactory, ServerFactory
from tests.people import Person, person
from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, message

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])


async def say_under_one_key(room: str, *speakers: Person) -> None:
    for speaker in speakers:
        text = f"from {speaker.key}."
        await speaker.ask({"type": "message", "room": room, "text": text, "key": "the-same-key"})


async def take_for_one_user(page: Page, one: str, other: str) -> None:
    """The page receives two people under one key, as from a server that allowed this."""

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: socket.send(re.sub(f'"user":"{other}"', f'"user":"{one}"', str(text))))

    await page.route_web_socket(re.compile(r"/ws\b"), pass_on)


@on_each_device
async def test_two_messages_of_one_user_under_one_key_are_both_shown(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter("alice", **device)
    # The first one who speaks under a name keeps its key, so this test has its own names.
    names = f"bob-in-{room}", f"robert-in-{room}"
    await take_for_one_user(alice, *names)
    await alice.reload()
    path = f"/ws/chat/{room}"
    async with person(server, names[0], path=path) as bob, person(server, names[1], path=path) as robert:
        await say_under_one_key(room, bob, robert)

    for _ in range(2):
        await expect(message(alice, "from").locator(".body")).to_have_text([f"from {name}." for name in names])
        await alice.reload()


async def test_two_messages_under_one_key_are_both_shown_where_nothing_is_stored(
    serve: ServerFactory, new_page: PageFactory
) -> None:
    server = serve(environment={"HUBBUB_DATABASE_URL": "none"})
    alice = await new_page()
    await alice.goto(server.url)
    await alice.get_by_label("Your name").fill("alice")
    await alice.keyboard.press("Enter")
    await expect(alice.get_by_role("complementary", name="People")).to_contain_text("alice")

    async with person(server, "bob", path="/ws/chat/general") as bob:
        for text in ("first.", "second."):
            await bob.ask({"type": "message", "room": "general", "text": text, "key": "the-same-key"})

    await expect(message(alice, ".").locator(".body")).to_have_text(["first.", "second."])


@on_each_device
async def test_namesakes_are_shown_with_their_keys(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter("alice", **device)
    keys = []
    for number in range(2):
        # The name is free again when its first user has gone; the key is not.
        async with person(server, "Sam Bell", path=f"/ws/chat/{room}") as sam:
            await sam.ask({"type": "message", "room": room, "text": f"Sam here {number}."})
            keys.append(sam.key)
    await expect(message(alice, "Sam here 1.")).to_be_visible()

    for number, key in enumerate(keys):
        await expect(message(alice, f"Sam here {number}.")).to_contain_text(f"@{key}")
    async with person(server, "Sam Bell", path=f"/ws/chat/{room}") as sam:
        await sam.send({"type": "typing", "room": room})
        await expect(alice.get_by_text(f"Sam Bell (@{sam.key}) is typing")).to_be_visible()
        await alice.get_by_role("button", name="People").click() if device else None
        await expect(alice.get_by_role("listitem").filter(has_text="Sam Bell")).to_contain_text(f"@{sam.key}")


async def test_a_name_that_only_one_person_has_is_shown_without_a_key(
    enter: Enter, server: WebServer, room: str
) -> None:
    alice = await enter("alice")
    async with person(server, "Sam Bell", path=f"/ws/chat/{room}") as sam:
        await sam.ask({"type": "message", "room": room, "text": "Only me."})
        await expect(message(alice, "Only me.")).not_to_contain_text("@")
