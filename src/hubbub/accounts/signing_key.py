"""The key that signs what guests are given. It is made once and kept where only the server's user can read it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hubbub.errors import ConfigurationError
from hubbub.files import check_regular

FILE_NAME = "secret"


def load_signing_key(data_dir: Path) -> bytes:
    """The key kept in `data_dir`, made now if there is none. Raises `ConfigurationError` if it can't be kept."""
    file = data_dir / FILE_NAME
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_regular(file)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = file.read_text().strip()
        else:
            key = secrets.token_urlsafe(32)
            with os.fdopen(descriptor, "w") as out:
                out.write(key + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read or written ({error.strerror}): "
            "choose another directory with --data-dir or HUBBUB_DATA_DIR"
        ) from None
    if len(key) < 32:
        raise ConfigurationError(f"{file} holds no usable key: delete it, and a new one will be made")
    return key.encode()
