"""The key that signs secrets: made once, and kept where only the server's user can read it."""

import stat
from pathlib import Path

import pytest

from hubbub.accounts.signing_key import FILE_NAME, load_signing_key
from hubbub.errors import ConfigurationError


def test_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = load_signing_key(tmp_path / "data")

    assert len(key) >= 32
    assert load_signing_key(tmp_path / "data") == key
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600


def test_two_directories_have_two_keys(tmp_path: Path) -> None:
    assert load_signing_key(tmp_path / "one") != load_signing_key(tmp_path / "two")


def test_a_directory_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="--data-dir or HUBBUB_DATA_DIR"):
        load_signing_key(tmp_path / "file" / "data")


def test_a_key_that_is_too_short_is_not_used(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("short\n")

    with pytest.raises(ConfigurationError, match="no usable key"):
        load_signing_key(tmp_path)
