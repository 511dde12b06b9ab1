"""Packs the TypeScript client and installs it elsewhere, without a network, and runs programs there."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import hatch_build
from tests.servers import REPOSITORY

CLIENT = REPOSITORY / "clients/typescript"
MODULES = REPOSITORY / "web/node_modules"
COMPILER = MODULES / "typescript/bin/tsc"


def install_client(folder: Path) -> None:
    """Installs the client into an empty folder, and beside it the package that MessagePack needs."""
    outside = folder / "outside"
    outside.mkdir()
    (outside / "package.json").write_text('{"type": "module", "private": true}')
    # The copies of directories that npm installs are packed as well, but their scripts need what is not installed.
    packages = (str(packed(folder)), str(MODULES / "@msgpack/msgpack"))
    npm("install", "--offline", "--install-links", "--ignore-scripts", *packages, cwd=outside)


def packed(folder: Path) -> Path:
    package = folder / "client"
    package.mkdir()
    for name in ("package.json", "README.md"):
        shutil.copy(CLIENT / name, package)
    check_types("-p", str(CLIENT / "tsconfig.build.json"), "--outDir", str(package / "dist"), cwd=CLIENT)
    npm("pack", str(package), cwd=folder)
    (tarball,) = folder.glob("*.tgz")
    return tarball


def npm(*arguments: str, cwd: Path) -> str:
    return run(*node_and_npm().npm, *arguments, cwd=cwd)


def check_types(*arguments: str, cwd: Path) -> str:
    return run("node", str(COMPILER), *arguments, cwd=cwd)


def node(*arguments: str, cwd: Path) -> str:
    return run("node", *flags_of_node(), *arguments, cwd=cwd)


@cache
def node_and_npm() -> hatch_build.Node:
    return hatch_build.find_node()


@cache
def flags_of_node() -> list[str]:
    """Node.js 20 has a WebSocket, but hides it."""
    version = hatch_build.answer_of(str(node_and_npm().folder / "node"), "--version")
    return ["--experimental-websocket", "--no-warnings"] if version.startswith("v20.") else []


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(node_and_npm().folder), os.environ.get("PATH", os.defpath)]),
        "npm_config_cache": str(REPOSITORY / ".cache/npm"),
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }
