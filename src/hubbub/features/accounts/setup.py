"""The first run: a link with which the first administrator signs up.

Its token is signed by the server's key, so all nodes have the same one and nothing is stored. It is worth nothing as
soon as the server has an administrator. Whoever can read it can become that one: it is printed to a terminal only, and
otherwise kept in a file that only the server's user can read.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from hubbub.accounts.signing_key import SigningKeys
from hubbub.files import check_regular
from hubbub.store.parts import whole_file

log = logging.getLogger("hubbub")

FILE_NAME = "setup-link"
FRAGMENT = "/#/setup/"
"""What a link has between the page's address and its token. No server sees a fragment, so none logs it."""


def setup_token(signing: SigningKeys, cluster: str) -> str:
    return signing.sign(_subject(cluster))


def is_setup_token(signing: SigningKeys, cluster: str, token: str) -> bool:
    return signing.have_signed(_subject(cluster), token)


def _subject(cluster: str) -> str:
    return f"setup:{cluster}"


def keep_link(data_dir: Path, link: str) -> None:
    """Keep the link, or the end of it, in a file."""
    file = data_dir / FILE_NAME
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(file) as part:
            part.write_text(link + "\n")
    except OSError as error:
        log.warning("the setup link cannot be kept in %s: %s", file, error.strerror)


def complete_link(data_dir: Path, address: str) -> tuple[str, Path] | None:
    """The whole link, now that the page's address is known, and the file that has it; None if there is none."""
    file = data_dir / FILE_NAME
    try:
        check_regular(file)
        _, fragment, token = file.read_text().strip().partition(FRAGMENT)
    except OSError:
        return None
    link = f"{address.rstrip('/')}{fragment}{token}"
    keep_link(data_dir, link)
    return link, file.absolute()


def remove_link(data_dir: Path) -> None:
    with contextlib.suppress(OSError):
        (data_dir / FILE_NAME).unlink(missing_ok=True)
