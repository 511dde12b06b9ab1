"""Each route for administrators asks the table of roles, so it refuses everybody else."""

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
        address = path.removeprefix("/api/v1").format(key="alice", id="1", user="alice")
        refused = await member.request(method, address, json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (line, refused.text)
        unknown = await guest.request(method, address, json={})
        assert (unknown.status_code, unknown.json()["code"]) == (401, "unauthenticated"), (line, unknown.text)
