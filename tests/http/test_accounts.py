"""People sign up, log in and out by REST, at a server of our own."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.exceptions import InvalidStatus

from hubbub import Hubbub, Settings
from hubbub.testing import serving
from tests.http.browsers import CSRF, PASSWORD, Browser, Browsers

pytestmark = pytest.mark.usefixtures("cheap_passwords")


def with_setting(name: str, value: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", [{name: value}], indirect=True)


async def test_who_signs_up_is_logged_in_and_may_log_out_and_in_again(browsers: Browsers) -> None:
    alice = browsers()
    made = await alice.sign_up("alice", name="Alice Liddell")
    me = {"key": "alice", "name": "Alice Liddell", "role": "member", "guest": False}
    assert (made.status_code, made.json()) == (201, me)
    assert (await alice.get("/me")).json() == me

    assert (await alice.delete("/sessions/current")).status_code == 204
    assert not alice.cookies
    assert (await alice.get("/me")).json()["guest"] is True

    again = await alice.log_in("ALICE")
    assert (again.status_code, again.json()) == (201, me)
    assert (await alice.get("/me")).json() == me


async def test_the_cookie_is_for_this_server_alone(browsers: Browsers) -> None:
    (cookie,) = (await browsers().sign_up("alice")).headers.get_list("set-cookie")

    name, *attributes = cookie.split("; ")
    assert name.startswith("hubbub_session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(attributes)
    # Over plain HTTP a browser would not send it back otherwise.
    assert "Secure" not in attributes


async def test_a_sign_up_that_cannot_be_says_why(browsers: Browsers) -> None:
    await browsers().sign_up("alice")
    refusals: list[tuple[dict[str, Any], int, str]] = [
        ({"username": "Alice"}, 409, "is taken"),
        ({"username": "system"}, 400, "reserved"),
        ({"username": "dm:alice"}, 400, "username"),
        ({"username": "bob", "password": "short"}, 400, "at least 8"),
        ({"username": "bob", "password": "password1"}, 400, "tries first"),
        ({"username": "bobby-bob", "password": "Bobby-Bob"}, 400, "differ from the username"),
        ({"username": "bob", "password": 12345678}, 400, "password"),
        ({"username": "bob", "password": "p" * 300}, 400, "password"),
        ({"username": "bob", "name": "Adm\u202ein"}, 400, "name"),
        ({"username": "bob", "name": "System"}, 400, "reserved"),
        ({"username": "bob", "invitation": "x" * 43}, 403, "not valid any more"),
        ({"username": "bob", "setup": "x" * 24}, 403, "not valid any more"),
    ]
    for fields, status, words in refusals:
        refused = await browsers().post("/accounts", json={"password": PASSWORD} | fields)

        assert (refused.status_code, words in refused.json()["message"]) == (status, True), (fields, refused.text)
        assert "hubbub_session" not in refused.cookies
        if isinstance(password := fields.get("password"), str):
            assert password not in refused.text


async def test_who_cannot_log_in_is_told_the_same_whatever_the_reason(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    await browsers().sign_up("mallory")
    await browsers().sign_up("bob")
    assert (await admin.patch("/accounts/mallory", json={"deactivated": True})).status_code == 200

    answers = [
        await browsers().log_in(username, password)
        for username, password in [
            ("nobody", PASSWORD),
            ("no key", PASSWORD),
            ("bob", "wrong horse"),
            ("bob", "x" * 1000),
            ("mallory", PASSWORD),
        ]
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert not any("set-cookie" in answer.headers for answer in answers)


# Who may sign up.


@with_setting("sign_up", "invited")
async def test_where_one_needs_an_invitation_a_link_works_as_often_as_it_says(browsers: Browsers) -> None:
    admin, alone = await browsers.administrator(), browsers()
    assert (await alone.sign_up("alice")).status_code == 403
    made = await admin.post("/invitations", json={"uses": 2})
    assert made.status_code == 201
    address, _, token = made.json()["url"].rpartition("/")
    assert address == f"{admin.server.url}/#/invite"

    alice = browsers()
    answers = [(await one.sign_up(name, invitation=token)) for one, name in [(alice, "alice"), (browsers(), "bob")]]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (await alone.sign_up("carol", invitation=token)).status_code == 403
    assert (await admin.get("/invitations")).json() == []

    # Members invite members.
    assert (await alice.post("/invitations", json={"role": "admin"})).status_code == 403
    mine = (await alice.post("/invitations", json={})).json()
    assert [one["id"] for one in (await admin.get("/invitations")).json()] == [mine["id"]]
    assert (await alice.delete(f"/invitations/{mine['id']}")).status_code == 204
    assert (await alone.sign_up("carol", invitation=mine["url"].rpartition("/")[2])).status_code == 403


@with_setting("sign_up", "closed")
async def test_where_sign_up_is_closed_only_the_setup_link_makes_an_account(browsers: Browsers) -> None:
    assert (await browsers().get("/server")).json() == {
        "name": "Hubbub",
        "accounts": True,
        "sign_up": "closed",
        "guests": True,
        "needs_setup": True,
        "default_rooms": [],
        "providers": [],
        "mail": False,
    }
    token = browsers.setup_token
    admin = await browsers.administrator()

    assert (await browsers().get("/server")).json()["needs_setup"] is False
    assert (await admin.post("/invitations", json={})).status_code == 403
    assert (await browsers().sign_up("alice")).status_code == 403
    # Once there is an administrator, the link is worth nothing.
    assert (await browsers().sign_up("mallory", setup=token)).status_code == 403


async def test_of_many_who_use_the_setup_link_at_once_one_becomes_the_administrator(browsers: Browsers) -> None:
    token = browsers.setup_token

    answers = await asyncio.gather(*(browsers().sign_up(f"user{number}", setup=token) for number in range(4)))

    assert min(answer.status_code for answer in answers) == 201
    assert [answer.json().get("role") for answer in answers].count("admin") == 1
    assert {answer.status_code for answer in answers} <= {201, 403, 409}


@with_setting("sign_ups", 2)
async def test_too_many_sign_ups_from_one_address_must_wait(browsers: Browsers) -> None:
    answers = [await browsers().sign_up(f"user{number}") for number in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[2].headers["retry-after"]) > 60


@with_setting("log_in_attempts", 3)
async def test_too_many_wrong_passwords_must_wait_and_right_ones_do_not_count(browsers: Browsers) -> None:
    await browsers().sign_up("alice")
    alice = [await browsers().log_in("alice") for _ in range(5)]
    assert [answer.status_code for answer in alice] == [201] * 5

    for username in ("alice", "nobody"):
        guesses = [await browsers().log_in(username, f"guess {number}") for number in range(4)]
        assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]
        assert int(guesses[3].headers["retry-after"]) > 60
        # Not even the right one tells now.
        assert (await browsers().log_in(username)).status_code == 429


# By cookie, a page of this server and no other.


async def test_a_page_connects_as_the_account(browsers: Browsers) -> None:
    alice = browsers()
    await alice.sign_up("alice", name="Alice")

    async with alice.server.connect("/ws", headers=alice.handshake) as socket:
        welcome = await socket.expect("welcome")

    assert (welcome["user"], welcome["name"]) == ("alice", "Alice")
    assert "guest" not in welcome
    assert "secret" not in welcome


async def test_another_sites_page_cannot_use_the_cookie(browsers: Browsers) -> None:
    alice = browsers()
    await alice.sign_up("alice")

    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", None):
        foreign = {"Cookie": alice.handshake["Cookie"]} | ({"Origin": origin} if origin else {})
        with pytest.raises(InvalidStatus) as refused:
            async with alice.server.connect("/ws", headers=foreign):
                pass
        assert refused.value.response.status_code == 403
        async with httpx.AsyncClient(base_url=str(alice.base_url), trust_env=False, timeout=60) as page:
            assert (await page.patch("/me", json={"name": "Owned"}, headers=foreign | CSRF)).status_code == 403
            assert (await page.delete("/sessions/current", headers=foreign | CSRF)).status_code == 403
    assert (await alice.get("/me")).json()["name"] == "alice"


async def test_a_change_by_cookie_needs_the_header_that_no_form_sends(browsers: Browsers) -> None:
    alice = browsers()
    await alice.sign_up("alice")
    del alice.headers["Hubbub-CSRF"]

    for method, path in [("PATCH", "/me"), ("PUT", "/me/password"), ("DELETE", "/sessions/current")]:
        refused = await alice.request(method, path, json={})
        assert refused.status_code == 403
        assert "Hubbub-CSRF" in refused.json()["message"]
    posted = await alice.post("/rooms/general/messages", json={"text": "hello"})
    assert posted.status_code == 403


async def test_an_ended_session_is_refused_and_not_taken_for_a_guest(browsers: Browsers) -> None:
    alice = browsers()
    await alice.sign_up("alice")
    kept = alice.handshake
    await alice.delete("/sessions/current")

    with pytest.raises(InvalidStatus) as refused:
        async with alice.server.connect("/ws?username=alice", headers=kept):
            pass
    assert refused.value.response.status_code == 401
    # The page can remove the worthless cookie, and be a guest.
    async with httpx.AsyncClient(base_url=str(alice.base_url), trust_env=False, timeout=60) as page:
        assert (await page.get("/me", headers=kept)).status_code == 401
        removed = await page.delete("/sessions/current", headers=kept | CSRF)
        assert (removed.status_code, "Max-Age=0" in removed.headers["set-cookie"]) == (204, True)


# What ends a log-in ends its connections.


async def test_logging_out_cuts_off_this_browser_and_no_other(browsers: Browsers) -> None:
    laptop, phone = browsers(), browsers()
    await laptop.sign_up("alice")
    await phone.log_in("alice")
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(one.server.connect("/ws/chat/general", headers=one.handshake))
            for one in (laptop, phone)
        ]
        await laptop.delete("/sessions/current")

        assert (await sockets[0].closed())[0] == 4401
        await sockets[1].send({"type": "message", "room": "general", "text": "still here"})
        await sockets[1].expect("message", text="still here")


async def test_a_new_password_ends_all_other_sessions(browsers: Browsers) -> None:
    laptop, phone = browsers(), browsers()
    await laptop.sign_up("alice")
    await phone.log_in("alice")
    async with phone.server.connect("/ws", headers=phone.handshake) as socket:
        wrong = await laptop.put("/me/password", json={"old": "wrong horse", "new": "battery staple"})
        assert wrong.status_code == 401
        changed = await laptop.put("/me/password", json={"old": PASSWORD, "new": "battery staple"})

        assert changed.status_code == 204
        assert (await socket.closed())[0] == 4401
    assert (await laptop.get("/me")).status_code == 200
    assert (await phone.get("/me")).status_code == 401
    assert (await browsers().log_in("alice")).status_code == 401
    assert (await browsers().log_in("alice", "battery staple")).status_code == 201


async def test_one_sees_where_one_is_logged_in_and_ends_a_session_from_afar(browsers: Browsers) -> None:
    laptop, phone, bob = browsers(), browsers(), browsers()
    phone.headers["User-Agent"] = "Phone"
    await laptop.sign_up("alice")
    await phone.log_in("alice")
    await bob.sign_up("bob")
    listed = (await laptop.get("/sessions")).json()
    assert sorted((one["agent"] == "Phone", one["current"]) for one in listed) == [(False, True), (True, False)]
    (afar,) = (one["id"] for one in listed if not one["current"])

    assert (await bob.delete(f"/sessions/{afar}")).status_code == 404
    assert (await laptop.delete(f"/sessions/{afar}")).status_code == 204
    assert (await phone.get("/me")).status_code == 401


async def test_an_administrator_sees_where_somebody_is_logged_in_and_ends_one_session_or_all(
    browsers: Browsers,
) -> None:
    admin, laptop, phone, bob = await browsers.administrator(), browsers(), browsers(), browsers()
    phone.headers["User-Agent"] = "Phone"
    await laptop.sign_up("alice")
    await phone.log_in("alice")
    await bob.sign_up("bob")
    listed = (await admin.get("/accounts/alice/sessions")).json()
    assert [(one["agent"] == "Phone", one["current"]) for one in listed].count((True, False)) == 1
    assert len(listed) == 2
    (afar,) = (one["id"] for one in listed if one["agent"] == "Phone")

    assert (await admin.delete(f"/accounts/bob/sessions/{afar}")).status_code == 404
    assert (await admin.get("/accounts/nobody-here/sessions")).status_code == 404
    assert (await admin.delete("/accounts/nobody-here/sessions")).status_code == 404
    async with phone.server.connect("/ws", headers=phone.handshake) as socket:
        assert (await admin.delete(f"/accounts/alice/sessions/{afar}")).status_code == 204
        assert (await socket.closed())[0] == 4401
    assert [(await one.get("/me")).status_code for one in (phone, laptop)] == [401, 200]

    async with laptop.server.connect("/ws", headers=laptop.handshake) as socket:
        assert (await admin.delete("/accounts/alice/sessions")).status_code == 204
        assert (await socket.closed())[0] == 4401
    assert [(await one.get("/me")).status_code for one in (laptop, bob)] == [401, 200]
    assert (await laptop.log_in("alice")).status_code == 201
    lines = (await admin.get("/audit", params={"action": "account."})).json()["lines"]
    assert [(one["actor"], one["action"], one["target"]) for one in lines[:2]] == [
        ("root", "account.end_sessions", "alice"),
        ("root", "account.end_session", "alice"),
    ]


async def test_who_is_deactivated_is_cut_off_and_comes_back_when_activated(browsers: Browsers) -> None:
    admin, alice = await browsers.administrator(), browsers()
    await alice.sign_up("alice")
    await alice.post("/rooms/general/messages", json={"text": "hello"})
    async with alice.server.connect("/ws", headers=alice.handshake) as socket:
        assert (await admin.patch("/accounts/alice", json={"deactivated": True})).json()["deactivated"]
        assert (await socket.closed())[0] == 4401

    assert (await alice.log_in("alice")).status_code == 401
    # The messages stay, and nobody else gets the key.
    page = (await admin.get("/rooms/general/messages")).json()
    assert [message["user"] for message in page["messages"]] == ["alice"]
    assert (await browsers().sign_up("alice")).status_code == 409
    await admin.patch("/accounts/alice", json={"deactivated": False})
    assert (await browsers().log_in("alice")).status_code == 201


async def test_the_last_administrator_stays_one(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    await browsers().sign_up("alice")

    for change in ({"role": "member"}, {"deactivated": True}):
        assert (await admin.patch("/accounts/root", json=change)).status_code == 409
    assert (await admin.patch("/accounts/alice", json={"role": "admin"})).json()["role"] == "admin"
    assert (await admin.patch("/accounts/root", json={"role": "member"})).status_code == 200


async def test_only_administrators_administer(browsers: Browsers) -> None:
    admin, alice, nobody = await browsers.administrator(), browsers(), browsers()
    await alice.sign_up("alice")

    for method, path in [
        ("GET", "/accounts"),
        ("PATCH", "/accounts/root"),
        ("POST", "/accounts/root/reset-link"),
        ("GET", "/audit"),
    ]:
        assert (await alice.request(method, path, json={})).status_code == 403
        assert (await nobody.request(method, path, json={})).status_code == 401
    assert [one["key"] for one in (await admin.get("/accounts")).json()["accounts"]] == ["alice", "root"]
    assert [one["key"] for one in (await admin.get("/accounts?q=OO")).json()["accounts"]] == ["root"]
    assert {line["action"] for line in (await admin.get("/audit")).json()["lines"]} == {"account.add"}


async def test_a_forgotten_password_is_set_by_a_link_once(browsers: Browsers) -> None:
    admin, alice = await browsers.administrator(), browsers()
    await alice.sign_up("alice")
    made = (await admin.post("/accounts/alice/reset-link")).json()
    address, _, token = made["url"].rpartition("/")
    assert address == f"{admin.server.url}/#/reset"

    reset = {"token": token, "password": "battery staple"}
    assert (await browsers().post("/resets", json=reset)).status_code == 204
    assert (await browsers().post("/resets", json=reset)).status_code == 403
    assert (await alice.get("/me")).status_code == 401
    assert (await browsers().log_in("alice", "battery staple")).status_code == 201
    actions = [line["action"] for line in (await admin.get("/audit")).json()["lines"]]
    assert actions[:2] == ["account.password", "account.reset_link"]


# Guests and accounts.


async def test_a_guest_who_signs_up_keeps_key_and_messages(browsers: Browsers) -> None:
    alice = browsers()
    async with alice.server.connect("/ws/chat/general?username=alice") as guest:
        secret = (await guest.expect("welcome"))["secret"]
        await guest.send("hello from a guest")
        await guest.expect("message", text="hello from a guest")
        made = await alice.post(
            "/accounts", json={"username": "liddell", "password": PASSWORD}, headers={"Hubbub-Secret": secret}
        )
        assert (made.status_code, made.json()["key"]) == (201, "alice")
        # The guest's connection must come again, as the account.
        assert (await guest.closed())[0] == 1012

    async with alice.server.connect("/ws/chat/general", headers=alice.handshake) as account:
        assert (await account.expect("welcome"))["user"] == "alice"
        seq = (await account.expect("joined"))["messages"][0]["seq"]
        await account.send({"type": "edit", "seq": seq, "text": "hello from an account", "id": "1"})
        await account.expect("ack", id="1")
    # The secret proves no account.
    async with alice.server.connect(f"/ws?secret={secret}") as other:
        assert (await other.expect("welcome"))["user"].startswith("alice-")
    assert (await browsers().log_in("liddell")).status_code == 201


async def test_a_guest_with_the_name_of_an_account_has_another_key(browsers: Browsers) -> None:
    alice = browsers()
    async with alice.server.connect("/ws?username=alice") as guest:
        assert (await guest.expect("welcome"))["user"] == "alice"
        await alice.sign_up("alice")
        # Nothing was said under it, so the key is the account's from now on.
        assert (await guest.closed())[0] == 1012

    async with alice.server.connect("/ws?username=alice") as guest:
        welcome = await guest.expect("welcome")
    assert welcome["user"].startswith("alice-")
    assert welcome["guest"] is True


async def test_a_username_whose_key_is_a_guests_gets_another_key(browsers: Browsers) -> None:
    alice = browsers()
    async with alice.server.connect("/ws/chat/general?username=alice") as guest:
        await guest.send("mine")
        await guest.expect("message", text="mine")

    made = (await alice.sign_up("alice")).json()

    assert made["key"].startswith("alice-")
    assert (await browsers().log_in("alice")).json() == made


async def test_a_profile_may_change_and_connections_come_again_with_the_new_name(browsers: Browsers) -> None:
    alice = browsers()
    await alice.sign_up("alice")
    async with alice.server.connect("/ws", headers=alice.handshake) as socket:
        changed = await alice.patch("/me", json={"name": " Alice L. ", "color": "#336699", "time_zone": "Europe/Paris"})
        assert (await socket.closed())[0] == 1012

    expected = {"name": "Alice L.", "color": "#336699", "time_zone": "Europe/Paris"}
    assert expected.items() <= changed.json().items()
    assert (await alice.get("/me")).json() == changed.json()
    assert "color" not in (await alice.patch("/me", json={"color": ""})).json()
    assert (await alice.patch("/me", json={"color": "red"})).status_code == 400


# In an application.


async def test_an_application_may_have_the_accounts_of_its_hub(tmp_path: Path) -> None:
    app = FastAPI()
    hub = Hubbub(accounts=True, data_dir=tmp_path / "data", settings=Settings(sign_up="open"), page=False)
    app.include_router(hub.router, prefix="/chat")
    async with serving(app) as server, Browser(server) as alice:
        alice.base_url = httpx.URL(f"{server.url}/chat/api/v1")
        assert (await alice.get("/me")).status_code == 401
        made = await alice.sign_up("alice")
        assert "Path=/chat" in made.headers["set-cookie"]
        async with server.connect("/chat/ws", headers=alice.handshake) as socket:
            assert (await socket.expect("welcome"))["user"] == "alice"
