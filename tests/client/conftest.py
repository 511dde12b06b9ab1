"""The TypeScript client, packed and installed once for all tests."""

import fcntl
import os
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.client.npm import install_client


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository with the packed TypeScript client in its `node_modules`."""
    workers_own = tmp_path_factory.getbasetemp()
    shared = workers_own.parent if "PYTEST_XDIST_WORKER" in os.environ else workers_own
    folder = shared / "typescript-client"
    with (shared / "typescript-client.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = shared / "typescript-client.making"
            making.mkdir()
            install_client(making)
            making.rename(folder)
    return folder / "outside"


@pytest.fixture
def folder(outside: Path) -> Path:
    """A folder for a test's own programs, which find the TypeScript client."""
    return Path(mkdtemp(dir=outside))
