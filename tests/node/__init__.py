"""Packages of npm that tests need: somebody else's programs, to try ours against.

A script that imports them is in this folder: Node.js looks for packages beside the script.
"""

import fcntl
import hashlib
from pathlib import Path

from tests.client.npm import environment, node_and_npm, npm
from tests.ports import free_port
from tests.servers import REPOSITORY, WebServer

FOLDER = Path(__file__).parent


def node_command(script: str) -> list[str]:
    """The command that runs a script of this folder. Installs the locked packages if they are not there yet."""
    install()
    return [str(node_and_npm().folder / "node"), str(FOLDER / script)]


def openid_provider(folder: Path, *redirects: str) -> WebServer:
    """npm's oidc-provider, at which everybody may log in. It sends browsers back to one of `redirects`."""
    port = free_port()
    command = [*node_command("openid_provider.mjs"), str(port), *redirects]
    path = "/.well-known/openid-configuration"
    return WebServer(folder, command, port=port, ready_path=path, environment=environment())


def token_issuer(folder: Path) -> WebServer:
    """npm's jose: it signs what it is told at `/sign`, and shows its keys at `/keys`."""
    port = free_port()
    command = [*node_command("token_issuer.mjs"), str(port)]
    return WebServer(folder, command, port=port, ready_path="/keys", environment=environment())


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
