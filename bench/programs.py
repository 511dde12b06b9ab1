"""The programs that the bench runs: what they are made of, and which versions they have."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "peers"
CACHE = ROOT / ".cache" / "bench"


def program(name: str) -> Path:
    """One that came with a Python package, such as `python` itself."""
    return Path(sys.executable).with_name(name)


@cache
def node_modules() -> Path:
    folder, wanted = CACHE / "node", PEERS / "package-lock.json"
    stamp, digest = folder / "installed.sha256", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"installing {wanted.relative_to(ROOT)} into {folder}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, folder)
        _run("npm", "ci", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel", "error")
        stamp.write_text(digest)
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
    return ", ".join(f"{package} {version(package)}" for package in packages)


def npm_version(package: str) -> str:
    lock = json.loads((PEERS / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PEERS, timeout=30).stdout.strip()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
