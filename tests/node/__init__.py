"""Packages of npm that tests need: somebody else's programs, to try ours against.

A script that imports them is in this folder: Node.js looks for packages beside the script.
"""

import fcntl
import hashlib
from pathlib import Path

from tests.client.npm import node_and_npm, npm
from tests.servers import REPOSITORY

FOLDER = Path(__file__).parent


def node_command(script: str) -> list[str]:
    """The command that runs a script of this folder. Installs the locked packages if they are not there yet."""
    install()
    return [str(node_and_npm().folder / "node"), str(FOLDER / script)]


def install() -> None:
    fingerprint = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules/.installed-from"
    (REPOSITORY / ".cache").mkdir(exist_ok=True)
    # Tests run in several processes.
    with (REPOSITORY / ".cache/tests-node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == fingerprint:
            return
        npm("ci", "--ignore-scripts", cwd=FOLDER)
        stamp.write_text(fingerprint)
