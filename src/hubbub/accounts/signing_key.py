"""The key that signs what guests are given. It is made once and kept where only the server's user can read it."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from hubbub.errors import ConfigurationError
from hubbub.files import check_regular
from hubbub.store.parts import whole_file

FILE_NAME = "secret"


def load_signing_key(data_dir: Path) -> bytes:
    """The key kept in `data_dir`, made now if there is none. Raises `ConfigurationError` if it can't be kept."""
    file = data_dir / FILE_NAME
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_regular(file)
        if not file.exists():
            # Of two who start at once, one makes it.
            with contextlib.suppress(FileExistsError), whole_file(file, replaces=False) as part:
                part.write_text(secrets.token_urlsafe(32) + "\n")
        key = file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read or written ({error.strerror}): "
            "choose another directory with --data-dir or HUBBUB_DATA_DIR"
        ) from None
    if len(key) < 32:
        raise ConfigurationError(f"{file} holds no usable key: delete it, and a new one will be made")
    return key.encode()
