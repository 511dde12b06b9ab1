"""Administrators change settings while the server runs."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hubbub import Settings, User
from hubbub.errors import ConfigurationError
from hubbub.serving.app import create_app
from hubbub.settings import AT_RUN_TIME, LIMITS_AT_RUN_TIME
from hubbub.testing import serving
from tests.http.browsers import Browser, Browsers


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", rate=5)


async def change(admin: Browser, **values: Any) -> dict[str, Any]:
    answer = await admin.patch("/settings", json=values)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_each_setting_says_who_has_set_it(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    shown = (await admin.get("/settings")).json()

    assert (shown["name"], shown["sign_up"], shown["guests"], shown["default_rooms"]) == (
        "Hubbub",
        "invited",
        "auto",
        [],
    )
    assert set(shown["limits"]) == set(LIMITS_AT_RUN_TIME)
    assert set(shown["set_by"]) == {*AT_RUN_TIME, *LIMITS_AT_RUN_TIME}
    assert (shown["set_by"]["rate"], shown["set_by"]["burst"]) == ("operator", "default")

    shown = await change(admin, name="Wonderland", default_rooms=["tea", "croquet"], limits={"burst": 7})
    assert (shown["name"], shown["default_rooms"], shown["limits"]["burst"]) == ("Wonderland", ["tea", "croquet"], 7)
    assert [shown["set_by"][name] for name in ("name", "default_rooms", "burst")] == ["here"] * 3
    seen = (await browsers().get("/server")).json()
    assert (seen["name"], seen["default_rooms"]) == ("Wonderland", ["tea", "croquet"])

    shown = await change(admin, name=None, limits={"burst": None})
    assert (shown["name"], shown["limits"]["burst"]) == ("Hubbub", 60)
    assert [shown["set_by"][name] for name in ("name", "default_rooms", "burst")] == ["default", "here", "default"]


async def test_what_is_set_outlives_a_restart(settings: Settings, cheap_passwords: None) -> None:
    app = create_app(settings)
    async with serving(app) as server:
        admin = await Browsers(app, server).administrator()
        await change(admin, name="Wonderland")
        await admin.aclose()

    async with serving(create_app(settings)) as again, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{again.url}/api/v1/server")).json()["name"] == "Wonderland"


async def test_what_the_operator_has_given_is_fixed(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    refused = await admin.patch("/settings", json={"name": "Wonderland", "limits": {"rate": 1000}})

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    shown = (await admin.get("/settings")).json()
    assert (shown["name"], shown["limits"]["rate"]) == ("Hubbub", 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"guests": "maybe"},
        {"name": ""},
        {"name": "a\u202eb"},
        {"default_rooms": ["private:secret"]},
        {"default_rooms": ["no key!"]},
        {"limits": {"burst": 0}},
        {"limits": {"burst": 10**30}},
        {"limits": {"heartbeat": 1}},
        {"secret": "a secret of at least 32 characters"},
    ],
)
async def test_wrong_values_change_nothing(browsers: Browsers, wrong: dict[str, Any]) -> None:
    admin = await browsers.administrator()
    before = (await admin.get("/settings")).json()
    refused = await admin.patch("/settings", json={"sign_up": "open"} | wrong)

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid"), refused.text
    assert (await admin.get("/settings")).json() == before


async def test_sign_up_and_its_limit_hold_at_once(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    assert (await browsers().sign_up("alice")).status_code == 403
    await change(admin, sign_up="open", limits={"sign_ups": 2})
    assert (await browsers().sign_up("alice")).status_code == 201
    assert (await browsers().sign_up("bob")).status_code == 201
    assert (await browsers().sign_up("carol")).status_code == 429


async def test_without_guests_those_who_are_here_are_sent_away_and_nobody_else(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    server = browsers.server
    async with (
        server.connect("/ws?username=alice") as guest,
        server.connect("/ws", headers=admin.handshake) as root,
    ):
        await guest.expect("welcome", guest=True)
        await root.expect("welcome", user="root")
        await change(admin, guests="off")

        assert await guest.closed() == (4401, "log in first; guests are not admitted any more")
        await root.send({"type": "ping", "id": "1"})
        await root.expect("pong", id="1")
    assert (await browsers().get("/server")).json()["guests"] is False
    assert (await browsers().get("/rooms")).status_code == 401

    await change(admin, guests=None)
    async with server.connect("/ws?username=bob") as guest:
        await guest.expect("welcome", guest=True)


async def test_whom_an_application_names_as_a_guest_stays_without_guests(browsers: Browsers) -> None:
    admin = await browsers.administrator()

    async def own(websocket: WebSocket) -> None:
        await browsers.hub.serve(websocket, User("visitor:7", "Gus", guest=True))

    browsers._app.router.routes.insert(0, WebSocketRoute("/own", own))
    async with browsers.server.connect("/own") as gus, browsers.server.connect("/ws?username=alice") as alice:
        await gus.expect("welcome", guest=True)
        await alice.expect("welcome", guest=True)
        await change(admin, guests="off")

        assert (await alice.closed())[0] == 4401
        await gus.send({"type": "ping", "id": "1"})
        await gus.expect("pong", id="1")
    async with browsers.server.connect("/own") as gus:
        await gus.expect("welcome", guest=True)


async def test_a_guest_who_is_let_in_while_guests_are_turned_off_does_not_stay(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    guests = browsers.hub.admissions._people.guests
    admit = guests.admit

    async def admit_late(*arguments: Any, **named: Any) -> Any:
        await change(admin, guests="off")
        return await admit(*arguments, **named)

    guests.admit = admit_late
    async with browsers.server.connect("/ws/chat/general?username=alice") as alice:
        assert await alice.closed() == (4401, "log in first; guests are not admitted any more")


async def test_a_connection_keeps_the_limits_that_its_welcome_said(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    async with browsers.server.connect("/ws?username=alice") as before:
        assert (await before.expect("welcome"))["limits"]["burst"] == 60
        await change(admin, limits={"burst": 1})
        for number in range(5):
            await before.send({"type": "ping", "id": str(number)})
        for number in range(5):
            await before.expect("pong", id=str(number))
        async with browsers.server.connect("/ws?username=bob") as after:
            assert (await after.expect("welcome"))["limits"]["burst"] == 1
            await after.send({"type": "ping", "id": "1"})
            await after.send({"type": "ping", "id": "2"})
            await after.expect("pong", id="1")
            await after.expect("error", id="2", code="rate_limited")


async def test_the_audit_log_has_a_line_for_each_change(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    await change(admin, name="Wonderland", limits={"burst": 7})
    await change(admin, name="Wonderland")
    await change(admin, name=None)

    lines = (await admin.get("/audit")).json()["lines"][::-1]
    assert [
        (line["actor"], line["target"], line["detail"]) for line in lines if line["action"] == "settings.change"
    ] == [
        ("root", "name", {"value": "Wonderland", "was": None}),
        ("root", "burst", {"value": 7, "was": None}),
        ("root", "name", {"value": None, "was": "Wonderland"}),
    ]


@pytest.mark.parametrize("wrong", [{"default_rooms": ["dm:x"]}, {"name": "a\nb"}])
async def test_wrong_settings_at_the_start_are_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    app = create_app(Settings(data_dir=tmp_path / "data", **wrong))
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        async with app.state.hub.lifespan(app):
            pass
