"""The programs that the bench runs: how they are installed, and their versions."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "peers"
CACHE = ROOT / ".cache" / "bench"


def python() -> Path:
    """The interpreter of the peers written in Python."""
    return program("python")


def program(name: str) -> Path:
    """A program from a Python package of the peers."""
    return _environment() / "bin" / name


@cache
def _environment() -> Path:
    def fill(folder: Path) -> None:
        venv.create(folder, clear=True, with_pip=True)
        quiet = ("--quiet", "--disable-pip-version-check")
        _run(str(folder / "bin/python"), "-m", "pip", "install", *quiet, "--require-hashes", "-r", str(lock))

    lock = ROOT / "requirements" / "bench.txt"
    return _installed("python", lock, fill)


@cache
def node_modules() -> Path:
    def fill(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, folder)
        _run("npm", "ci", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel", "error")

    return _installed("node", PEERS / "package-lock.json", fill) / "node_modules"


def _installed(name: str, lock: Path, fill: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled again whenever the lock has changed."""
    folder = CACHE / name
    stamp, digest = folder / "installed.sha256", hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"installing {lock.relative_to(ROOT)} into {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        fill(folder)
        stamp.write_text(digest)
    return folder


def compiler() -> str | None:
    return shutil.which("cc")


@cache
def compiled(source: str) -> Path:
    path, target = PEERS / source, CACHE / Path(source).stem
    CACHE.mkdir(parents=True, exist_ok=True)
    _run(compiler() or "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(path))
    return target


def python_versions(*packages: str) -> str:
    folders = [str(folder) for folder in _environment().glob("lib/python*/site-packages")]
    installed = {found.name: found.version for found in distributions(path=folders)}
    return ", ".join(f"{package} {installed[package]}" for package in packages)


def npm_version(package: str) -> str:
    lock = json.loads((PEERS / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PEERS, timeout=30).stdout.strip()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
