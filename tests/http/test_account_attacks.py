"""Somebody tries to get more from accounts than they may: by links that should be worth nothing, and by asking for more
than a server can give."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from hubbub.accounts import invitations
from hubbub.accounts.api_keys import KeyFiles, make_key
from hubbub.shared_limits.local import LocalLimits
from tests.http.browsers import PASSWORD, Browsers


def token_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"].rpartition("/")[2])


# Invitations


async def test_who_is_banned_does_not_come_back_by_an_own_invitation(browsers: Browsers) -> None:
    root, mallory = await browsers.administrator(), browsers()
    await mallory.sign_up("mallory")
    token = token_of(await mallory.post("/invitations", json={"uses": 10}))
    assert (await root.put("/bans/Mallory", json={})).status_code == 204

    assert (await browsers().sign_up("mallory2", invitation=token)).status_code == 403
    await root.delete("/bans/mallory")
    assert (await browsers().sign_up("friend", invitation=token)).status_code == 201


@pytest.mark.parametrize("change", [{"role": "member"}, {"deactivated": True}])
async def test_an_invitation_to_administrate_ends_with_its_makers_own_rights(
    browsers: Browsers, change: dict[str, Any]
) -> None:
    root, mallory = await browsers.administrator(), browsers()
    await mallory.sign_up("mallory")
    await root.patch("/accounts/mallory", json={"role": "admin"})
    token = token_of(await mallory.post("/invitations", json={"role": "admin", "uses": 10}))
    assert (await root.patch("/accounts/mallory", json=change)).status_code == 200

    assert (await browsers().sign_up("mallory2", invitation=token)).status_code == 403


async def test_a_programs_key_makes_no_invitations(browsers: Browsers, tmp_path: Path) -> None:
    key, secret = make_key("deploy", ["rooms:send"])
    await KeyFiles(tmp_path / "data").add(key)
    async with httpx.AsyncClient(base_url=str(browsers().base_url), trust_env=False, timeout=60) as program:
        made = await program.post("/invitations", json={"uses": 10}, headers={"Authorization": f"Bearer {secret}"})

    assert made.status_code == 403, made.text


async def test_somebody_has_so_many_invitations_at_a_time_and_no_more(
    browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MOST", 4)
    mallory = browsers()
    await mallory.sign_up("mallory")
    made = [await mallory.post("/invitations", json={}) for _ in range(invitations.MOST + 1)]

    assert [answer.status_code for answer in made] == [201] * invitations.MOST + [409]
    await mallory.delete(f"/invitations/{made[0].json()['id']}")
    assert (await mallory.post("/invitations", json={})).status_code == 201
    assert len((await mallory.get("/invitations")).json()) == invitations.MOST


# Links that set a password


@pytest.mark.parametrize("how", ["password", "deactivated"])
async def test_a_reset_link_is_worth_nothing_after(browsers: Browsers, how: str) -> None:
    root, alice = await browsers.administrator(), browsers()
    await alice.sign_up("alice")
    token = token_of(await root.post("/accounts/alice/reset-link"))
    if how == "password":
        assert (await alice.put("/me/password", json={"old": PASSWORD, "new": "battery staple"})).status_code == 204
    else:
        await root.patch("/accounts/alice", json={"deactivated": True})

    assert (await browsers().post("/resets", json={"token": token, "password": "mallorys own"})).status_code == 403


# Passwords


@pytest.mark.parametrize("settings", [{"log_in_attempts": 3}], indirect=True)
async def test_who_has_somebodys_session_cannot_try_passwords_without_end(browsers: Browsers) -> None:
    alice = browsers()
    await alice.sign_up("alice")
    for status in (401, 401, 401, 429):
        tried = await alice.put("/me/password", json={"old": "wrong horse", "new": "battery staple"})
        assert tried.status_code == status


@pytest.mark.parametrize("settings", [{"log_in_attempts": 1}], indirect=True)
async def test_who_floods_log_ins_with_names_that_nobody_has_fills_no_memory(browsers: Browsers) -> None:
    limits = browsers.hub.node.limits
    assert isinstance(limits, LocalLimits)
    flood = browsers()
    for number in range(30):
        await flood.log_in(f"nobody{number}")

    assert sum(len(debts) for debts in limits._debts.values()) < 30


@pytest.mark.parametrize("settings", [{"log_in_attempts": 1}], indirect=True)
async def test_a_password_that_the_server_was_too_busy_to_check_was_not_wrong(
    browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browsers().sign_up("alice")
    with monkeypatch.context() as busy:
        busy.setattr(browsers.hub.accounts.log_ins._passwords, "_places", 0)
        assert [(await browsers().log_in("alice")).json()["message"][:8] for _ in range(20)] == ["too many"] * 20

    assert (await browsers().log_in("alice")).status_code == 201


@pytest.mark.parametrize("settings", [{"log_in_attempts": 1}], indirect=True)
async def test_nobody_keeps_the_server_busy_with_right_passwords(browsers: Browsers) -> None:
    mallory = browsers()
    await mallory.sign_up("mallory")

    assert [(await mallory.log_in("mallory")).status_code for _ in range(11)] == [201] * 10 + [429]
