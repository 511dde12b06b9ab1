"""Nonsense as an argument of `Hubbub(…)` is an error when the hub is made, which says what to write instead."""

from contextlib import nullcontext
from functools import partial
from inspect import Parameter, Signature
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, Query, Request, WebSocket
from fastapi.security import OAuth2PasswordBearer
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from hubbub import Action, Hubbub, Settings, User
from hubbub.errors import ConfigurationError


async def by_request(request: Request) -> str:
    return request.headers["x-user"]


def by_socket(websocket: WebSocket) -> str:
    return websocket.headers["x-user"]


def session(request: Request) -> dict[str, str]:
    return {"user": request.headers["x-user"]}


def by_session(found: Annotated[dict[str, str], Depends(session)]) -> str:
    return found["user"]


def by_session_below(user: Annotated[str, Depends(by_session)]) -> str:
    return user


class Login:
    def __call__(self, request: Request) -> str:
        return request.headers["x-user"]


@pytest.mark.parametrize(
    ("login", "told"),
    [
        (by_request, r"by_request takes a Request \('request'\).*`request: HTTPConnection`"),
        (by_socket, r"by_socket takes a WebSocket \('websocket'\)"),
        (by_session, "session, which by_session depends on, takes a Request"),
        (by_session_below, "session, which by_session_below depends on, takes a Request"),
        (Login(), "Login takes a Request"),
        (partial(by_request), "takes a Request"),
        ("alice", "must be a function, your login dependency, not a str"),
        (User("alice", "Alice"), "without calling it"),
        (Depends(by_session), r"give the function in it: Hubbub\(authenticate=by_session\)"),
    ],
)
def test_a_login_that_cannot_work_is_an_error_when_the_hub_is_made(login: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Hubbub(authenticate=login)


@pytest.mark.filterwarnings("error")
def test_a_login_that_was_called_is_an_error_without_a_warning() -> None:
    async def current_user() -> str:
        return "alice"

    with pytest.raises(ConfigurationError, match=r"Hubbub\(authenticate=current_user\)"):
        Hubbub(authenticate=current_user())  # type: ignore[arg-type]


def test_logins_that_can_work_are_accepted() -> None:
    def by_connection(connection: HTTPConnection, x_user: str = Header(""), who: str = "") -> str:
        return connection.headers.get("x-user", "") + x_user + who

    class Account:
        def __init__(self, who: str = "") -> None:
            self.id = who

    def later(connection: "DefinedLater") -> str:  # type: ignore[name-defined] # noqa: F821 - as in many modules
        return str(connection)

    def by_token(token: Annotated[str, Depends(OAuth2PasswordBearer("token"))]) -> str:
        return token

    for login in (by_connection, by_token, Account, lambda: "alice", partial(by_connection, who="alice"), later):
        Hubbub(authenticate=login)


@pytest.mark.parametrize("name", ["user", "id", "key", "name", "account", "session", "token"])
def test_a_login_may_take_what_it_needs_from_the_query(name: str) -> None:
    def login(**query: str) -> str:
        return query[name]

    parameter = Parameter(name, Parameter.KEYWORD_ONLY, annotation=Annotated[str, Query()])
    login.__signature__ = Signature([parameter])  # type: ignore[attr-defined]
    # FastAPI refuses this if a part of a route's address has the same name.
    app = FastAPI()
    app.include_router(Hubbub(authenticate=login, page=False).router)


async def ask_the_database(user: User, action: Action, where: str) -> bool:
    return False


class AsyncPolicy:
    async def __call__(self, user: User, action: Action, where: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("nobody", "policy must be a function"),
        (ask_the_database, "all would be allowed"),
        (AsyncPolicy(), "all would be allowed"),
        (partial(ask_the_database), "all would be allowed"),
        (lambda user, action: True, r"policy\(user, action, where\)"),
        (lambda user, action, where, *, strict: True, r"policy\(user, action, where\)"),
    ],
)
def test_a_policy_that_cannot_be_called_is_an_error_when_the_hub_is_made(policy: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Hubbub(guests="on", policy=policy)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"room_default": "no key"}, "room_default: 'no key' can never be"),
        ({"relay_rooms": ["lobby", "no key"]}, "relay_rooms: 'no key' can never match"),
        ({"relay_rooms": ["*:game"]}, "can never match"),
        ({"relay_rooms": [""]}, "can never match"),
        ({"relay_rooms": ["lobby", "game:*", "*"]}, None),
    ],
)
def test_a_setting_that_names_an_impossible_room_is_an_error_at_the_start(
    settings: dict[str, Any], told: str | None
) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", page=False, settings=Settings(**settings)).router)

    with nullcontext() if told is None else pytest.raises(ConfigurationError, match=told), TestClient(app):
        pass


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"guests": "maybe"}, "guests must be one of 'auto', 'on', 'off', not 'maybe'"),
        ({"guests": True}, "not True"),
        ({"guests": ["on"]}, "guests must be one of"),
        ({"guests": "on", "settings": {"heartbeat": 10}}, r"not a dict: Settings\(\*\*settings\)"),
        ({"guests": "on", "settings": Settings}, "not the class Settings"),
        ({"guests": "on", "settings": "hubbub.toml"}, "not a str"),
        ({"guests": "on", "page": "no"}, "page must be True or False"),
        ({"guests": "on", "data_dir": 5}, "data_dir must be a path, not a int"),
        ({"guests": "on", "data_dir": ""}, "data_dir names no directory"),
    ],
)
def test_other_nonsense_is_an_error_when_the_hub_is_made(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Hubbub(**arguments)
