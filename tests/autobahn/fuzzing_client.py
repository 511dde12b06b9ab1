"""Runs Autobahn's fuzzing client, the conformance suite for WebSockets, against a server.

It was never ported from Python 2.7, so it is installed beside the checkout's own environment, in .cache/, and run by
whichever Python 2.7 the machine has.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers import REPOSITORY, MissingError

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

# `-m autobahntestsuite` does not exist, and a folder of packages gets its namespace packages (zope) only this way.
LAUNCHER = """
import site, sys
site.addsitedir(sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()
"""

ACCEPTED = {"OK", "NON-STRICT", "INFORMATIONAL"}


@dataclass(frozen=True)
class Verdict:
    case: str
    behavior: str
    """Whether the frames were right, in Autobahn's words."""
    closing: str
    """Whether the connection was closed correctly."""

    @property
    def accepted(self) -> bool:
        return self.behavior in ACCEPTED and self.closing in ACCEPTED


def find_python_2() -> Path:
    """Raises MissingError if there is none that runs and has pip."""
    for candidate in python_2_candidates():
        try:
            subprocess.run(
                [candidate, "-c", "import pip, sys; assert sys.version_info[:2] == (2, 7)"],
                check=True,
                capture_output=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return candidate
    raise MissingError("AUTOBAHN DID NOT RUN: its fuzzing client needs a Python 2.7 with pip (pyenv install 2.7.18)")


def python_2_candidates() -> Iterator[Path]:
    for name in ("python2.7", "python2", "pypy2", "pypy"):
        if found := shutil.which(name):
            yield Path(found)
    versions = Path.home() / ".pyenv/versions"
    yield from sorted(versions.glob("2.7*/bin/python"))
    yield from sorted(versions.glob("pypy2.7*/bin/pypy"))


def install(python: Path) -> Path:
    """Gives the folder with the packages; raises MissingError if they are not available."""
    fingerprint = hashlib.sha256(f"{python.resolve()}\n{REQUIREMENTS.read_text()}".encode()).hexdigest()[:16]
    packages = REPOSITORY / ".cache/autobahn" / fingerprint
    if packages.exists():
        return packages
    packages.parent.mkdir(parents=True, exist_ok=True)
    # Made elsewhere and moved when complete: another test may need it at the same time.
    with tempfile.TemporaryDirectory(dir=packages.parent) as folder:
        installed = Path(folder) / "packages"
        result = subprocess.run(
            [python, "-m", "pip", "install", "--no-deps", "--no-compile", "--target", installed, "-r", REQUIREMENTS],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if result.returncode != 0:
            last_words = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise MissingError(f"Autobahn's fuzzing client could not be installed: {last_words}")
        with suppress(OSError):
            installed.rename(packages)
    return packages


def run(python: Path, packages: Path, url: str, cases: Sequence[str], folder: Path, *, timeout: float) -> list[Verdict]:
    """Tries each case on the server at `url`; reports on each are in `folder`/reports/index.html afterwards."""
    reports = folder / "reports"
    specification = folder / "specification.json"
    specification.write_text(
        json.dumps(
            {
                "outdir": str(reports),
                "servers": [{"agent": "server", "url": url}],
                "cases": list(cases),
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    with (folder / "autobahn.log").open("wb") as log:
        subprocess.run(
            [python, "-c", LAUNCHER, packages, "-m", "fuzzingclient", "-s", specification],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=timeout,
        )
    index = json.loads((reports / "index.json").read_text())
    return [Verdict(case, entry["behavior"], entry["behaviorClose"]) for case, entry in index["server"].items()]


def summary_of(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.behavior for verdict in verdicts)
    return f"{len(verdicts)} cases: " + ", ".join(f"{number} {behavior}" for behavior, number in counts.most_common())
