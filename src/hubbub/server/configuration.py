"""Reads the settings, and says what is wrong with them to the person who gave them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from hubbub.errors import ConfigurationError
from hubbub.settings import Settings


def load_settings(**options: object) -> Settings:
    """The settings from options, environment and file. Raises `ConfigurationError` that names what is wrong."""
    given = {name: value for name, value in options.items() if value is not None}
    file = os.environ.get("HUBBUB_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigurationError(f"HUBBUB_CONFIG names {file}, which is not a file")
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}"
            for entry in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("a setting is wrong: " + "; ".join(lines)) from None
    except ValueError as error:
        raise ConfigurationError(f"the settings cannot be read: {error}") from None
