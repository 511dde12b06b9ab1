"""Puts the peers' own packages into `.cache/bench`, from the locks of this repository, when those change."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
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
    """One that came with a Python package."""
    return _python_environment() / "bin" / name


@cache
def _python_environment() -> Path:
    folder, wanted = CACHE / "venv", ROOT / "requirements" / "bench.txt"
    if not _is_current(folder, wanted):
        _say(f"installing {wanted.relative_to(ROOT)} into {folder}")
        venv.create(folder, clear=True, with_pip=True)
        _run(
            str(folder / "bin/python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--requirement",
            str(wanted),
        )
        _mark_current(folder, wanted)
    return folder


@cache
def node_modules() -> Path:
    folder, wanted = CACHE / "node", PEERS / "package-lock.json"
    if not _is_current(folder, wanted):
        _say(f"installing {wanted.relative_to(ROOT)} into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, folder)
        _run("npm", "ci", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel", "error")
        _mark_current(folder, wanted)
    return folder / "node_modules"


def compiler() -> str | None:
    return shutil.which("cc")


@cache
def compiled(source: str) -> Path:
    path, target = PEERS / source, CACHE / Path(source).stem
    CACHE.mkdir(parents=True, exist_ok=True)
    _run(compiler() or "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(path))
    return target


def python_versions(*packages: str) -> str:
    folders = [str(folder) for folder in _python_environment().glob("lib/python*/site-packages")]
    installed = {found.name: found.version for found in distributions(path=folders)}
    return ", ".join(f"{package} {installed[package]}" for package in packages)


def npm_version(package: str) -> str:
    lock = json.loads((PEERS / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PEERS, timeout=30).stdout.strip()


def _is_current(folder: Path, wanted: Path) -> bool:
    stamp = folder / "installed.sha256"
    return stamp.exists() and stamp.read_text() == _digest(wanted)


def _mark_current(folder: Path, wanted: Path) -> None:
    (folder / "installed.sha256").write_text(_digest(wanted))


def _digest(wanted: Path) -> str:
    return hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
