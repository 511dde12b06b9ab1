"""A server that speaks RFC 6455 as Autobahn's fuzzing client expects it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.autobahn import fuzzing_client
from tests.ports import free_port
from tests.servers import REPOSITORY, MissingError, WebServer

# Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, and mixed sizes.
ALWAYS = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
# Messages of megabytes, and compression with every window size: minutes.
ON_DEMAND = ("9.*", "12.*", "13.*")

DELIBERATE: dict[str, dict[str, str]] = {
    "/adopted": {},
    "/echo": {
        "7.1.5": (
            "A close frame in the middle of a fragmented message is answered with 1002, not 1000: the message that it "
            "leaves unfinished is a protocol error to the parser of `websockets`. The connection ends either way."
        ),
    },
}
"""By address: the hub's own parser, and uvicorn's for endpoints that receive and send by themselves."""


@pytest.mark.slow(20)
@pytest.mark.parametrize("address", ["/adopted", "/echo"])
def test_no_case_fails(
    address: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    missing: Callable[[MissingError], NoReturn],
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        python = fuzzing_client.find_python_2()
    except MissingError as error:
        # This is the only optional part: no current system packages Python 2.7.
        pytest.skip(str(error))
    try:
        packages = fuzzing_client.install(python)
    except MissingError as error:
        missing(error)
    everything = pytestconfig.getoption("--autobahn-all")
    port = free_port()
    server = WebServer(
        tmp_path,
        [sys.executable, "-m", "tests.autobahn.echo_app"],
        port=port,
        ready_path="/openapi.json",
        environment={"HUBBUB_PORT": str(port), "HUBBUB_LOG_LEVEL": "warning", "PYTHONPATH": str(REPOSITORY)},
    )

    with server:
        verdicts = fuzzing_client.run(
            python,
            packages,
            server.ws_url + address,
            (*ALWAYS, *ON_DEMAND) if everything else ALWAYS,
            tmp_path,
            timeout=1800 if everything else 300,
        )

    with capsys.disabled():
        print(f"\nAutobahn on {address}: {fuzzing_client.summary_of(verdicts)}")
    assert len(verdicts) > 200
    rejected = {verdict.case: verdict for verdict in verdicts if not verdict.accepted}
    assert rejected.keys() <= DELIBERATE[address].keys(), (rejected, tmp_path / "reports/index.html")
