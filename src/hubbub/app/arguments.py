"""Checks the arguments of `Hubbub(…)`, so that a mistake is reported there and not to the first client, or never."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import iscoroutine, iscoroutinefunction, signature
from pathlib import Path
from typing import Any, Literal, get_args

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.params import Depends

from hubbub.accounts.roles import may_be_public
from hubbub.app.settings_sources import variables_of
from hubbub.errors import ConfigurationError
from hubbub.features.feature import Feature
from hubbub.settings import NO_DIRECTORY, Settings
from hubbub.wire.keys import clean_title, is_key

GuestsAllowed = Literal["auto", "on", "off"]


def check_arguments(
    *,
    authenticate: Any,
    accounts: Any,
    guests: Any,
    policy: Any,
    membership: Any,
    settings: Any,
    data_dir: Any,
    page: Any,
    features: Any,
) -> None:
    """Raises `ConfigurationError` for what is said of these arguments in `Hubbub`."""
    if authenticate is not None:
        _check_login(authenticate)
    if guests is not None:
        _check_choice("guests", guests, GuestsAllowed)
    if policy is not None:
        _check_policy(policy)
    if membership is not None:
        _check_membership(membership)
    if settings is not None:
        _check_settings(settings)
    _check_flag("page", page)
    _check_flag("accounts", accounts)
    check_features(features)
    if data_dir is not None:
        _check_directory("data_dir", data_dir)
    if authenticate is not None and accounts:
        raise ConfigurationError(
            "authenticate and accounts exclude each other: either your app's own login says who people are, or the "
            "accounts here do"
        )
    if authenticate is None and not accounts and guests is None:
        raise ConfigurationError(
            "nobody could connect: give Hubbub(authenticate=...) your app's own login dependency, "
            "accounts=True, or guests='on'; guests='off' says that tokens and API keys are enough"
        )


def _check_login(login: Any) -> None:
    """Raises `ConfigurationError` if `authenticate` cannot be a dependency of WebSockets and requests."""
    if iscoroutine(login):
        login.close()
        raise ConfigurationError(
            f"authenticate is what {login.__name__}() returned; give the function itself: "
            f"Hubbub(authenticate={login.__name__})"
        )
    if isinstance(login, Depends):
        raise ConfigurationError(
            f"authenticate is a Depends(…); give the function in it: Hubbub(authenticate={_name(login.dependency)})"
        )
    if not callable(login):
        raise ConfigurationError(
            f"authenticate must be a function, your login dependency, not a {type(login).__name__}. Give it without "
            "calling it: Hubbub(authenticate=current_user)"
        )
    try:
        root = get_dependant(path="/", call=login)
    except Exception:  # noqa: BLE001 - FastAPI says it itself when the routes are made, and then more may be defined
        return
    for dependant in _all_below(root):
        for parameter, kind in (
            (dependant.request_param_name, "Request"),
            (dependant.websocket_param_name, "WebSocket"),
        ):
            if parameter is not None:
                raise ConfigurationError(_takes_too_little(root, dependant, parameter, kind))


def _takes_too_little(root: Dependant, dependant: Dependant, parameter: str, kind: str) -> str:
    name = _name(dependant.call)
    below = "" if dependant is root else f", which {_name(root.call)} depends on,"
    missing = "a WebSocket has none" if kind == "Request" else "a request by HTTP has none"
    return (
        f"authenticate cannot work: {name}{below} takes a {kind} ({parameter!r}), and {missing}. Take a "
        f"starlette.requests.HTTPConnection, which is both: `{parameter}: HTTPConnection`"
    )


def _all_below(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for below in dependant.dependencies:
        yield from _all_below(below)


def _check_policy(policy: Any) -> None:
    """Raises `ConfigurationError` if `policy` cannot be called, or would allow everything."""
    if not callable(policy):
        raise ConfigurationError(
            f"policy must be a function, policy(user, action, where) -> bool, not a {type(policy).__name__}"
        )
    if iscoroutinefunction(policy) or iscoroutinefunction(getattr(policy, "__call__", None)):  # noqa: B004 - its own
        raise ConfigurationError(
            f"policy must be a plain function: what the async {_name(policy)} returns is never false, so all would be "
            "allowed. It is asked for each command, so it answers from memory"
        )
    try:
        signature(policy).bind(None, None, None)
    except TypeError:
        taken = f"{_name(policy)}{signature(policy)}"
        raise ConfigurationError(f"policy is called as policy(user, action, where), and {taken} takes others") from None
    except ValueError:  # a callable of C, which does not say what it takes
        return


def _check_membership(membership: Any) -> None:
    """Raises `ConfigurationError` if `membership` is no async function of a user and a room."""
    if not callable(membership):
        raise ConfigurationError(
            f"membership must be an async function, membership(user, room), not a {type(membership).__name__}"
        )
    if not (iscoroutinefunction(membership) or iscoroutinefunction(getattr(membership, "__call__", None))):  # noqa: B004 - its own
        raise ConfigurationError(
            f"membership must be an async function, and {_name(membership)} is a plain one: it is asked when somebody "
            "joins, and while it reads your tables, the others must go on"
        )
    try:
        signature(membership).bind(None, None)
    except TypeError:
        taken = f"{_name(membership)}{signature(membership)}"
        raise ConfigurationError(f"membership is called as membership(user, room), and {taken} takes others") from None


def _check_choice(name: str, value: Any, choices: Any) -> None:
    """Raises `ConfigurationError` if an argument is not one of a Literal's words."""
    words = get_args(choices)
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(repr(word) for word in words)
        raise ConfigurationError(f"{name} must be one of {listed}, not {value!r}")


def _check_settings(settings: Any) -> None:
    """Raises `ConfigurationError` if this is not a `Settings` object."""
    if isinstance(settings, dict):
        raise ConfigurationError("settings must be a hubbub.Settings object, not a dict: Settings(**settings)")
    if not isinstance(settings, Settings):
        raise ConfigurationError(
            f"settings must be a hubbub.Settings object, such as Settings(heartbeat=10), not {_described(settings)}"
        )


def check_names(settings: Settings) -> None:
    """Raises `ConfigurationError` if a room in the settings cannot exist, or the server's name cannot be shown."""
    try:
        clean_title(settings.name)
    except ValueError as error:
        raise ConfigurationError(f"name: {error}") from None
    for room in settings.default_rooms:
        if not may_be_public(room):
            raise ConfigurationError(f"default_rooms: {room!r} can never be a public room's key")
    if not is_key(settings.room_default):
        raise ConfigurationError(f"room_default: {settings.room_default!r} can never be a room's key")
    for pattern in settings.relay_rooms:
        if pattern != "*" and not is_key(pattern.removesuffix("*")):
            raise ConfigurationError(
                f"relay_rooms: {pattern!r} can never match. Write a room's key, or the beginning of keys and a `*`"
            )


def check_features(features: Any) -> None:
    """Raises `ConfigurationError` if these are not features, or if two of them have the same class or name."""
    if not isinstance(features, list | tuple):
        raise ConfigurationError(f"features must be a list of hubbub.Feature objects, not {_described(features)}")
    for feature in features:
        if not isinstance(feature, Feature):
            raise ConfigurationError(f"features: {_described(feature)} is no hubbub.Feature object")
    kinds = [type(feature) for feature in features]
    names = [feature.name for feature in features if feature.scripts or feature.settings_model]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ConfigurationError(f"features: {kind.__name__} is given twice")
    for name in names:
        if not name or names.count(name) > 1:
            raise ConfigurationError(f"features: one with tables or settings needs a name of its own, not {name!r}")
        if name.startswith("hubbub"):
            raise ConfigurationError(f"features: names that begin with 'hubbub' are the built-in ones', as {name!r}")
    for feature in features:
        _check_settings_of(feature)


def _check_settings_of(feature: Feature) -> None:
    if feature.settings_model is None:
        return
    if not re.fullmatch("[a-z][a-z0-9_]*", feature.name):
        raise ConfigurationError(
            f"features: a name for settings has a-z, 0-9 and _ only, which {feature.name!r} has not"
        )
    for name in (feature.name, *map(str.lower, variables_of(feature))):
        if name in Settings.model_fields:
            raise ConfigurationError(f"features: the server itself has the setting {name!r}")
    for name, field in feature.settings_model.model_fields.items():
        if field.is_required():
            raise ConfigurationError(f"features: the setting {name!r} of {feature.name!r} needs a default")


def _check_flag(name: str, value: Any) -> None:
    """Raises `ConfigurationError` if this is neither True nor False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")


def _check_directory(name: str, value: Any) -> None:
    """Raises `ConfigurationError` if this is not a path, or an empty one, which would be the current directory."""
    if not isinstance(value, str | Path):
        raise ConfigurationError(f"{name} must be a path, not {_described(value)}")
    if value == "":
        raise ConfigurationError(f"{name} {NO_DIRECTORY}")


def _described(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def _name(call: Callable[..., Any] | None) -> str:
    return getattr(call, "__qualname__", None) or type(call).__qualname__
