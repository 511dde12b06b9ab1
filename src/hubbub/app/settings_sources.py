"""Reads the settings, and tells the person who starts the server what is wrong with them."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError, create_model
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from hubbub.errors import ConfigurationError
from hubbub.features.feature import Feature
from hubbub.files import check_regular
from hubbub.settings import DEFAULT_FILE, Settings, read_file
from hubbub.wire.commands import what_is_wrong

log = logging.getLogger("hubbub")

NO_SETTINGS = ("CONFIG", "KEY")
"""Variables `HUBBUB_…` that are no settings: the settings' file, and the API key of programs that send."""


T = TypeVar("T")


def load_settings(features: Iterable[Feature] | None = (), /, **options: object) -> Settings:
    """The settings from options, environment and file. Raises a `ConfigurationError` that names what is wrong.

    A name that is no setting of the server or of these features is an error in the file, and a warning in the
    environment. Give None for `features` if they are not known: then unknown names are not looked for.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if features is not None:
        tables = [feature for feature in features if feature.settings_model is not None]
        _warn_of_unknown(os.environ, tables)
        _refuse_unknown(_explaining(read_file), {feature.name for feature in tables})
    return _explaining(lambda: Settings(**given))  # type: ignore[arg-type]


def variables_of(feature: Feature) -> list[str]:
    """The variables of a feature's own settings, without `HUBBUB_` at their beginning."""
    fields = feature.settings_model.model_fields if feature.settings_model is not None else {}
    return [f"{feature.name}_{field}".upper() for field in fields]


def load_settings_of(feature: Feature) -> None:
    """Read a feature's own settings, from the variables `HUBBUB_<NAME>_…` and from the table with its name.

    Raises a `ConfigurationError` that names what is wrong.
    """
    model = feature.settings_model
    if model is None:
        return
    table = _explaining(read_file).get(feature.name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{feature.name}: this must be a table: [{feature.name}]")
    reader = create_model(model.__name__, __base__=(_FromEnvironmentThenArguments, model))
    found = _explaining(lambda: reader(_env_prefix=f"HUBBUB_{feature.name.upper()}_", **table), feature.name)
    feature.settings = model.model_construct(**dict(found))


class _FromEnvironmentThenArguments(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def _explaining(read: Callable[[], T], table: str = "") -> T:
    """Calls `read`. Raises a `ConfigurationError` instead of the error that it raises."""
    name_of_file = os.environ.get("HUBBUB_CONFIG")
    file = Path(name_of_file or DEFAULT_FILE)
    if name_of_file and not file.is_file():
        raise ConfigurationError(f"HUBBUB_CONFIG names {file}, which is not a file")
    try:
        check_regular(file)
        return read()
    except ValidationError as error:
        wrong = (_explain(entry, table) for entry in error.errors(include_input=False))
        raise ConfigurationError("; ".join(wrong)) from None
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = "_".join(["HUBBUB", *filter(None, [table.upper()]), found.group(1).upper()]) if found else "a setting"
        raise ConfigurationError(f'{name} must be JSON, such as ["https://app.example.com"] for a list') from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None


def _warn_of_unknown(environment: Mapping[str, str], features: Iterable[Feature]) -> None:
    """Warn of variables with unknown names: nobody would notice a mistake in a name."""
    known = [*(name.upper() for name in Settings.model_fields), *NO_SETTINGS]
    for feature in features:
        known += variables_of(feature)
    for variable in environment:
        name = variable.removeprefix("HUBBUB_")
        if name != variable and name not in known:
            nearest = get_close_matches(name, known, n=1)
            log.warning("%s is no setting%s", variable, f"; is HUBBUB_{nearest[0]} meant?" if nearest else "")


def _refuse_unknown(file: Mapping[str, Any], tables: Collection[str]) -> None:
    for name, value in file.items():
        if isinstance(value, dict) and name not in tables:
            raise ConfigurationError(f"{name}: {_NO_SUCH_SETTING}")


_NO_SUCH_SETTING = "there is no such setting; `hubbub settings` shows them all"


def _explain(entry: ErrorDetails, table: str) -> str:
    name = ".".join([*filter(None, [table]), *map(str, entry["loc"])])
    if name == "secret":
        return "secret: at least 32 characters are needed"
    if entry["type"] == "extra_forbidden":
        return f"{name}: {_NO_SUCH_SETTING if not table else 'the feature has no such setting'}"
    return f"{name}: {what_is_wrong(entry)}"
