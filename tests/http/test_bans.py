"""Administrators ban people from the server: every way in is closed until the ban ends."""

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from hubbub import Settings
from hubbub.testing import TestServer
from hubbub.wire.base import timestamp
from tests.http.browsers import Browser, Browsers

SECRET = "the secret of the server in these tests"
END = "2100-01-01T00:00:00.000Z"
BANNED = f"you are banned from this server until {END}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", sign_up="open", guests="on", secret=SecretStr(SECRET))


def token(user: str) -> dict[str, str]:
    now = int(time.time())
    said = {"sub": user, "iss": "hubbub", "aud": "hubbub", "iat": now, "exp": now + 600}
    return {"Authorization": f"Bearer {jwt.encode(said, SECRET)}"}


async def ban(admin: Browser, user: str, **fields: Any) -> None:
    answer = await admin.put(f"/bans/{user}", json=fields)
    assert answer.status_code == 204, answer.text


async def refusal(server: TestServer, path: str, **options: Any) -> tuple[int, str]:
    """With what a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(path, **options):
            pass
    return refused.value.response.status_code, (refused.value.response.body or b"").decode()


async def test_a_banned_account_is_out_and_gets_in_nowhere_until_the_ban_is_lifted(browsers: Browsers) -> None:
    admin, alice, elsewhere = await browsers.administrator(), browsers(), browsers()
    assert (await alice.sign_up("alice", name="Alice Liddell")).status_code == 201
    ticket = (await alice.post("/tickets")).json()["ticket"]
    async with browsers.server.connect("/ws", headers=alice.handshake) as socket:
        await socket.expect("welcome", user="alice")
        await ban(admin, "ALICE", until=END, reason="spam")
        assert await socket.closed() == (4403, BANNED)

    shown = (await admin.get("/bans")).json()["bans"]
    assert [one.pop("at")[:2] for one in shown] == ["20"]
    assert shown == [{"user": "alice", "name": "Alice Liddell", "until": END, "by": "root", "reason": "spam"}]
    for status, told in (
        await refusal(browsers.server, "/ws", headers=alice.handshake),
        await refusal(browsers.server, f"/ws?ticket={ticket}"),
        await refusal(browsers.server, "/ws", headers=token("alice")),
    ):
        assert status == 403
        assert BANNED in told
        assert "spam" not in told
    for answer in (
        await alice.get("/me"),
        await alice.post("/tickets"),
        await alice.get("/rooms/general/messages"),
        await alice.post("/rooms/general/messages", json={"text": "hi"}),
        await elsewhere.log_in("alice"),
    ):
        assert (answer.status_code, answer.json()["message"]) == (403, BANNED), answer.request.url
    assert (await elsewhere.log_in("alice", "wrong horse")).status_code == 401

    assert (await admin.delete("/bans/alice")).status_code == 204
    assert (await admin.delete("/bans/alice")).status_code == 404
    assert (await alice.get("/me")).status_code == 200
    assert (await elsewhere.log_in("alice")).status_code == 201


async def test_a_banned_guest_stays_out_with_the_secret_and_cannot_sign_up_with_it(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    async with browsers.server.connect("/ws?username=bob") as guest:
        welcome = await guest.expect("welcome", guest=True)
        await ban(admin, welcome["user"])
        assert await guest.closed() == (4403, "you are banned from this server")

    assert [one["guest"] for one in (await admin.get("/bans")).json()["bans"]] == [True]
    status, told = await refusal(browsers.server, f"/ws?secret={welcome['secret']}")
    assert (status, "you are banned" in told) == (403, True)
    secret = {"Hubbub-Secret": welcome["secret"]}
    said = await browsers().post("/rooms/general/messages", json={"text": "hi"}, headers=secret)
    kept = await browsers().post("/accounts", json={"username": "bob", "password": "correct horse"}, headers=secret)
    assert (said.status_code, kept.status_code) == (403, 403)


async def test_a_subject_of_a_token_is_banned_by_key(browsers: Browsers) -> None:
    admin = await browsers.administrator()
    async with browsers.server.connect("/ws", headers=token("carol")) as carol:
        await carol.expect("welcome", user="carol")
        await ban(admin, "carol")
        assert (await carol.closed())[0] == 4403
    assert (await refusal(browsers.server, "/ws", headers=token("carol")))[0] == 403
    async with browsers.server.connect("/ws", headers=token("dave")) as dave:
        await dave.expect("welcome", user="dave")


async def test_a_ban_ends_by_itself(browsers: Browsers, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, alice = await browsers.administrator(), browsers()
    await alice.sign_up("alice")
    await ban(admin, "alice", until=timestamp(time.time() + 3600))
    assert (await alice.get("/me")).status_code == 403

    monkeypatch.setattr(browsers.hub.admissions._bans.bans, "_clock", lambda: time.time() + 3601)
    assert (await alice.get("/me")).status_code == 200


async def test_nobody_bans_oneself_or_an_administrator_and_no_banned_person_becomes_one(browsers: Browsers) -> None:
    admin, alice = await browsers.administrator(), browsers()
    await alice.sign_up("alice")
    await alice.patch("/me", json={"name": "Alice"})
    assert (await admin.put("/bans/Root", json={})).status_code == 409
    assert (await admin.patch("/accounts/alice", json={"role": "admin"})).status_code == 200
    refused = await admin.put("/bans/alice", json={})
    assert (refused.status_code, "take that role away" in refused.json()["message"]) == (409, True)

    assert (await admin.patch("/accounts/alice", json={"role": "member"})).status_code == 200
    await ban(admin, "alice")
    refused = await admin.patch("/accounts/alice", json={"role": "admin"})
    assert (refused.status_code, "lift the ban" in refused.json()["message"]) == (409, True)


async def test_wrong_bans_are_refused_and_right_ones_are_in_the_audit_log(browsers: Browsers) -> None:
    admin, alice = await browsers.administrator(), browsers()
    await alice.sign_up("alice")
    assert (await admin.put("/bans/nobody", json={})).status_code == 404
    assert (await admin.put("/bans/alice", json={"until": "2020-01-01T00:00:00Z"})).status_code == 400
    assert (await admin.put("/bans/alice", json={"until": "soon"})).status_code == 400
    await ban(admin, "alice", reason="spam")
    await ban(admin, "alice", until=END)
    await admin.delete("/bans/alice")

    lines = (await admin.get("/audit", params={"action": "ban.", "actor": "ROOT"})).json()["lines"][::-1]
    assert [(line["actor"], line["action"], line["target"], line["detail"]) for line in lines] == [
        ("root", "ban.set", "alice", {"until": "for_ever", "reason": "spam"}),
        ("root", "ban.set", "alice", {"until": END, "reason": None}),
        ("root", "ban.lift", "alice", {}),
    ]
    (added,) = (await admin.get("/audit", params={"action": "account.add", "actor": "alice"})).json()["lines"]
    assert added["target"] == "alice"
    for nothing in ({"actor": "ali"}, {"action": "ban"}, {"actor": "%"}, {"action": "b_n."}):
        assert (await admin.get("/audit", params=nothing)).json()["lines"] == []
