"""Reads the settings, and says what is wrong with them to the person who gave them."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from hubbub.errors import ConfigurationError
from hubbub.files import check_regular
from hubbub.settings import DEFAULT_FILE, Settings
from hubbub.wire.commands import what_is_wrong

log = logging.getLogger("hubbub")


def load_settings(**options: object) -> Settings:
    """The settings from options, environment and file. Raises `ConfigurationError` that names what is wrong."""
    given = {name: value for name, value in options.items() if value is not None}
    file = os.environ.get("HUBBUB_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigurationError(f"HUBBUB_CONFIG names {file}, which is not a file")
    try:
        check_regular(Path(file or DEFAULT_FILE))
    except OSError as error:
        raise ConfigurationError(f"{file or DEFAULT_FILE} cannot be read: {error.strerror}") from None
    _warn_of_unknown(os.environ)
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(entry) for entry in error.errors(include_input=False))) from None
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = f"HUBBUB_{found.group(1).upper()}" if found else "a setting"
        raise ConfigurationError(f'{name} must be JSON, such as ["https://app.example.com"] for a list') from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file or DEFAULT_FILE} is not TOML: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{file or DEFAULT_FILE} cannot be read: {error.strerror}") from None


def _warn_of_unknown(environment: Mapping[str, str]) -> None:
    """A variable with a slip in its name sets nothing, and nobody would notice."""
    known = [*(name.upper() for name in Settings.model_fields), "CONFIG"]
    for variable in environment:
        name = variable.removeprefix("HUBBUB_")
        if name != variable and name not in known:
            nearest = get_close_matches(name, known, n=1)
            log.warning("%s is no setting%s", variable, f"; is HUBBUB_{nearest[0]} meant?" if nearest else "")


def _explain(entry: ErrorDetails) -> str:
    name = ".".join(map(str, entry["loc"]))
    if name == "secret":
        return "secret: at least 32 characters are needed"
    if entry["type"] == "extra_forbidden":
        return f"{name}: there is no such setting; `hubbub settings` shows them all"
    return f"{name}: {what_is_wrong(entry)}"
