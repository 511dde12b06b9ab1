"""Each route for administrators asks the table of roles, so it refuses everybody else."""

import pytest

from hubbub.accounts.policies import ON_SERVER, ROUTES, Action
from hubbub.wire.identity import Role
from tests.http.browsers import Browsers

FOR_ADMINISTRATORS = [
    line
    for line, asked in ROUTES.items()
    if isinstance(asked, Action) and ON_SERVER.get(asked) == frozenset({Role.ADMIN})
]


async def test_the_routes_of_administrators_refuse_members_and_guests(browsers: Browsers) -> None:
    assert "GET /api/v1/audit" in FOR_ADMINISTRATORS
    member, guest = browsers(), browsers()
    assert (await member.sign_up("alice")).status_code == 201

    for line in FOR_ADMINISTRATORS:
        method, _, path = line.partition(" ")
        address = path.removeprefix("/api/v1").format(
            key="alice", owner="alice", session="1", id="1", banned="alice", api_key="1"
        )
        refused = await member.request(method, address, json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (line, refused.text)
        unknown = await guest.request(method, address, json={})
        assert (unknown.status_code, unknown.json()["code"]) == (401, "unauthenticated"), (line, unknown.text)


@pytest.mark.parametrize(
    "address",
    ["/accounts?q=", "/accounts?after=", "/audit?before=", "/audit?actor=", "/reports?room=", "/reports?state="],
)
async def test_wrong_parameters_are_refused_as_everything_else_is(browsers: Browsers, address: str) -> None:
    admin = await browsers.administrator()
    refused = await admin.get(address + 65 * "x")

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid"), refused.text
    name = address.partition("?")[2].removesuffix("=")
    assert refused.json()["message"].startswith(f"{name}: ")
    assert "xxx" not in refused.text
