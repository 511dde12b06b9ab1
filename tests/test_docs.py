"""What is public is documented, and what is documented holds."""

import ast
import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from inspect import getmembers, isfunction, signature
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from starlette import testclient
from websockets.exceptions import InvalidStatus

import hubbub
from examples.polls import Polls
from hubbub import Action, Connection, Draft, Hubbub, Settings
from hubbub.accounts.guests import RESERVED
from hubbub.app.handles import Connections, RoomHandle, TopicHandle, UserHandle
from hubbub.app.settings_sources import NO_SETTINGS, variables_of
from hubbub.cli import app as cli
from hubbub.features.messages.log import LATEST, RECOVERED_BYTES, RECOVERED_ROWS
from hubbub.features.messages.log_react import REACTION_KINDS, REACTION_USERS
from hubbub.features.messages.log_send import QUOTED
from hubbub.features.typing.typing_indicators import EXPIRY, REPEAT
from hubbub.http.unknown_addresses import UnknownAddresses
from hubbub.limits import PAGE_BYTES_PER_WORK, SECONDS_PER_WORK, WORK_PER_COMMAND, WORK_PER_PAGE
from hubbub.presence.crowd import NAMED_UP_TO
from hubbub.testing import TestClient, TestServer, serving
from hubbub.wire.codecs import CONTAINERS
from hubbub.wire.data import DATA_BYTES
from hubbub.wire.keys import NAME_LENGTH, TEXT_LENGTH
from hubbub.wire.messages import PAGE
from hubbub.wire.rooms import ROOMS_PER_JOIN, USERS_IN_JOINED, USERS_OF_MANY
from tests import reference
from tests.servers import REPOSITORY, find_program

DOCS, PACKAGE = REPOSITORY / "docs", REPOSITORY / "src" / "hubbub"
PAGES = sorted([*DOCS.glob("*.md"), *REPOSITORY.glob("*.md"), *(REPOSITORY / "examples").glob("*.md")])
DEFAULTS = Settings.model_construct()
PROTOCOL, LIBRARY = (DOCS / "protocol.md").read_text(), (DOCS / "library.md").read_text()

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def blocks(text: str, language: str) -> list[str]:
    return [content for kind, content in _BLOCK.findall(text) if kind == language]


def all_blocks(language: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{name(page)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page.read_text(), language), start=1)
    ]


def code_in(text: str) -> str:
    """All text that is marked as code."""
    spans = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    return "\n".join([*spans, *(content for _, content in _BLOCK.findall(text))])


def anchors(page: Path) -> set[str]:
    """The anchors of the headings: in lower case, without punctuation, dashes for spaces."""
    text = _BLOCK.sub("", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}


# Parts that are generated from the code.


@pytest.mark.parametrize("page", reference.PAGES, ids=name)
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text()

    assert text == reference.renewed(text), "run: python -m tests.reference"


def test_every_generated_part_is_on_one_page() -> None:
    made = [part for page in reference.PAGES for part in reference.parts_in(page.read_text())]

    assert sorted(made) == sorted(reference.PARTS)


# The protocol.


def test_exactly_the_fields_of_all_frames_are_explained() -> None:
    section = PROTOCOL.partition("\n## Fields\n")[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    explained = [field for cell in first_cells for field in re.findall(r"`(\w+)`", cell)]

    assert sorted(explained) == sorted(reference.Schema().fields())


async def test_the_first_conversation_goes_as_shown(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", settings=DEFAULTS.model_copy(update={"data_dir": tmp_path})).router)
    (conversation,) = blocks(PROTOCOL, "")

    async with serving(app) as server, server.connect("/ws/chat/room1?username=alice") as alice:
        for direction, lines in groupby(conversation.splitlines(), key=lambda line: line[0]):
            frames = [line.removeprefix(direction) for line in lines]
            if direction == ">":
                for frame in frames:
                    await alice.send(frame)
            else:
                received = [await alice.receive() for _ in frames]
                assert as_shown(received) == as_shown([json.loads(frame) for frame in frames])


async def test_the_tour_can_be_pasted_line_by_line_and_repeated(tmp_path: Path) -> None:
    """Each time in a room of its own, and by a guest without the secret of the first time."""
    app = FastAPI()
    app.include_router(Hubbub(guests="on", settings=DEFAULTS.model_copy(update={"data_dir": tmp_path})).router)
    readme = (REPOSITORY / "README.md").read_text()
    (lines,) = [block.splitlines() for block in blocks(readme, "") if "Hello Bob!" in block]
    commands = [line for block in blocks(readme, "sh") for line in block.splitlines()]
    (address,) = [shlex.split(line)[-1] for line in commands if "wscat" in line and "$RANDOM" in line]
    path = address.removeprefix("ws://localhost:8000")

    async with serving(app) as server:
        for number in (1, 2):
            async with server.connect(path.replace("$RANDOM", str(number))) as somebody:
                for line in lines:
                    await somebody.send(line)
                events: list[Any] = []
                # The five lines with an id, and the last one, which is refused.
                while sum("id" in event or event["type"] == "error" for event in events) < 6:
                    events.append(await somebody.receive())
                answers = {event["id"]: event["type"] for event in events if "id" in event}
                assert answers == {"1": "ack", "2": "ack", "3": "history", "4": "joined", "5": "following"}
                errors = [event["message"] for event in events if event["type"] == "error"]
                assert errors == ["text: Field required"]


async def test_the_tours_lines_for_curl_are_answered(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", settings=DEFAULTS.model_copy(update={"data_dir": tmp_path})).router)
    commands = [line for block in blocks((REPOSITORY / "README.md").read_text(), "sh") for line in block.splitlines()]
    lines = [shlex.split(line) for line in commands if line.startswith("curl ")]
    assert len(lines) == 3

    async with serving(app) as server:
        for program, *arguments, address in lines:
            here = address.replace("http://localhost:8000", server.url)
            curl = await asyncio.create_subprocess_exec(
                find_program(program, package="curl"),
                "--fail",
                "--silent",
                "--noproxy",
                "*",
                *arguments,
                here,
                stdout=subprocess.PIPE,
            )
            answer, _ = await asyncio.wait_for(curl.communicate(), 10)
            assert curl.returncode == 0
        assert [message["text"] for message in json.loads(answer)["messages"]] == ["Hello from curl"]


def as_shown(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An ack and its event may come in either order, and some values differ each time."""
    varying = {"secret", "connection", "node", "epoch", "ts", "edited"}
    same = [{field: None if field in varying else value for field, value in frame.items()} for frame in frames]
    return sorted(same, key=lambda frame: str(frame["type"]))


@pytest.mark.parametrize(
    "sentence",
    [
        f"{DEFAULTS.frame_bytes // 1024} KiB (setting `frame_bytes`)",
        f"{DEFAULTS.rate:g} a second, {DEFAULTS.burst} at once",
        f"did not wait for `retry_after` {DEFAULTS.violations} times (`violations`)",
        f"{WORK_PER_COMMAND} units for each command",
        f"{DEFAULTS.rate * WORK_PER_COMMAND:g} a second and {DEFAULTS.burst * WORK_PER_COMMAND:,} at once",
        f"a recovery are {WORK_PER_PAGE}, and 1 more for each {PAGE_BYTES_PER_WORK // 1024} KiB",
        f"1 more for each {SECONDS_PER_WORK * 1e6:g} µs",
        f"{DEFAULTS.unanswered} (setting `unanswered`)",
        f"{DEFAULTS.rooms_per_connection} (setting `rooms_per_connection`)",
        f"after {DEFAULTS.linger:g} s (setting `linger`)",
        f"no progress for {DEFAULTS.stall_timeout:g} s, or takes longer than {DEFAULTS.stall_patience:g} s",
        f"at most {ROOMS_PER_JOIN} `RoomPosition`",
        f"by default {LATEST}",
        f"at most {PAGE} messages",
        f"at most {REACTION_KINDS} different reactions; of each, the first {REACTION_USERS} users",
        f"its first {QUOTED} characters",
        f"more than {NAMED_UP_TO} people online",
        f"forget after {EXPIRY:g} s; repeat the command every {REPEAT:g} s",
        f"up to {TEXT_LENGTH:,} code points",
        f"1 to {NAME_LENGTH} characters",
        f"| lists and objects in a frame from a client | {CONTAINERS:,},",
        f"at most {DATA_BYTES // 1024} KB as JSON",
        f"all who are online, up to {USERS_IN_JOINED}, and of more the {USERS_OF_MANY} who came first",
        f"more than {RECOVERED_ROWS:,} rows or {RECOVERED_BYTES // 1_000_000} MB",
    ],
)
def test_the_numbers_in_the_protocol_are_those_of_the_code(sentence: str) -> None:
    assert sentence in " ".join(PROTOCOL.split())


def test_every_reserved_name_is_documented() -> None:
    assert set(code_in(PROTOCOL).splitlines()) >= RESERVED


def test_every_address_is_documented() -> None:
    every: list[Any] = list(Hubbub(guests="on", page=False).router.routes)
    routes = [route for route in every if not isinstance(route, UnknownAddresses)]
    documented = code_in(PROTOCOL)

    for route in routes:
        words = route.methods if hasattr(route, "methods") else {"WS"}
        if words == {"GET"} and any(other.path == route.path for other in routes if not hasattr(other, "methods")):
            continue  # "GET on any of these"
        assert all(f"{word} {route.path}" in documented.splitlines() for word in words), route.path


# The library.


@pytest.mark.parametrize("export", hubbub.__all__)
def test_every_export_is_documented(export: str) -> None:
    assert hasattr(hubbub, export)
    assert re.search(rf"\b{export}\b", code_in(LIBRARY))


CALLED = {
    "hub": Hubbub,
    "room": RoomHandle,
    "user": UserHandle,
    "topic": TopicHandle,
    "connections": Connections,
    "draft": Draft,
    "server": TestServer,
    "client": TestClient,
}
"""The names that the library's page uses."""


@pytest.mark.parametrize("called", CALLED)
def test_every_public_member_is_documented(called: str) -> None:
    documented = code_in(LIBRARY)
    members = [member for member, _ in getmembers(CALLED[called]) if not member.startswith("_")]

    assert [member for member in members if not re.search(rf"\b{called}\.{member}\b", documented)] == []


def test_a_documented_call_has_the_functions_parameters() -> None:
    kinds = CALLED | {"connection": Connection}
    shown = re.findall(r"`(?:await )?(\w+)\.(\w+)\(([^)]*)\)`", LIBRARY)
    calls = [(kinds[called], method, arguments) for called, method, arguments in shown if called in kinds]

    assert calls
    for kind, method, arguments in calls:
        function = getattr(kind, method, None)
        if isfunction(function):
            # The first parameter is the object itself.
            parameters = list(signature(function).parameters)[1:]
            assert re.findall(r"(\w+)(?:=[^,]+)?(?:, |$)", arguments) == parameters, f"{kind.__name__}.{method}"


@pytest.mark.parametrize("action", Action, ids=str)
def test_every_action_of_a_policy_is_documented(action: Action) -> None:
    assert f"`Action.{action.name}`" in LIBRARY


# The programs.


@pytest.mark.parametrize("block", all_blocks("python"))
def test_a_python_block_compiles(block: str) -> None:
    compile(block, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def programs() -> list[Any]:
    return [param for param in all_blocks("python") if re.search(r"^app = FastAPI\(", param.values[0], re.MULTILINE)]


@pytest.mark.parametrize("program", programs())
def test_a_whole_program_starts(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    namespace = run([program])

    with testclient.TestClient(namespace["app"]) as client:
        assert client.get("/openapi.json").is_success


def test_the_library_page_is_one_program_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = [block for block in blocks(LIBRARY, "python") if not block.startswith(("# conftest.py", "# test_"))]

    namespace = run(program)

    app: FastAPI = namespace["app"]
    with testclient.TestClient(app, cookies={"session": "s3cret"}) as client:
        with client.websocket_connect("/chat/ws/chat/general") as alice:
            assert [alice.receive_json()["type"] for _ in range(3)] == ["welcome", "joined", "join"]
            assert alice.receive_json()["text"] == "Alice is here"
            alice.send_json({"text": "spam", "id": "1"})
            assert alice.receive_json()["message"] == "not here"
            alice.send_json({"type": "roll", "id": "2"})
            assert {alice.receive_json()["type"] for _ in range(2)} == {"dice_fell", "rolled"}
        with client.websocket_connect("/items/7/ws") as alice:
            assert alice.receive_json()["room"] == "item:7"
        with client.websocket_connect("/echo") as alice:
            alice.send_bytes(b"echo")
            assert alice.receive_bytes() == b"echo"
        assert client.post("/orders/7/ship").is_success
    guarded = FastAPI()
    guarded.include_router(namespace["guarded"].router)
    with (
        testclient.TestClient(guarded, cookies={"session": "s3cret"}) as client,
        client.websocket_connect("/ws") as alice,
    ):
        for room, answer in (("Item:7", "joined"), ("item:8", "error"), ("general", "joined")):
            alice.send_json({"type": "join", "room": room, "id": room})
            while (event := alice.receive_json()).get("id") != room:
                pass
            assert event["type"] == answer
        assert client.portal is not None
        client.portal.call(namespace["dismiss"], "alice", "item:7")
        while (event := alice.receive_json())["type"] != "removed":
            pass
        assert event["room"] == "Item:7"


def test_the_test_on_the_librarys_page_passes(tmp_path: Path) -> None:
    for block in blocks(LIBRARY, "python"):
        if file := re.match(r"# (\w+\.py)\n", block):
            (tmp_path / file[1]).write_text(block)

    command = [sys.executable, "-m", "pytest", "-o", "anyio_mode=auto", "-o", "pythonpath=.", "-p", "no:cacheprovider"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert "1 passed" in outcome.stdout, outcome.stdout + outcome.stderr


def run(program: list[str]) -> dict[str, Any]:
    """Run the blocks of a program one after the other, as a module that is imported."""
    namespace: dict[str, Any] = {"__name__": "documented"}
    for block in program:
        exec(compile(block, "documented", "exec"), namespace)
    return namespace


# Settings and the command line.


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_documented_variable_is_a_setting(page: Path) -> None:
    known = {f"HUBBUB_{name.upper()}" for name in Settings.model_fields} | {f"HUBBUB_{name}" for name in NO_SETTINGS}
    known |= {f"HUBBUB_{name}" for name in variables_of(Polls())}

    assert set(re.findall(r"\bHUBBUB_[A-Z_]*[A-Z]\b", page.read_text())) <= known


@pytest.mark.parametrize("block", all_blocks("toml"))
def test_a_documented_settings_file_can_be_read(block: str) -> None:
    shown = tomllib.loads(block)

    assert {name: getattr(Settings(**shown), name) for name in shown} == shown


def command_lines() -> list[str]:
    """Every call of `hubbub` in a shell block, without the variables before it."""
    lines = [line for page in PAGES for block in blocks(page.read_text(), "sh") for line in block.splitlines()]
    called = [re.match(r"(?:\w+=(?:'[^']*'|\S*) )*hubbub (.+)", line) for line in lines]
    return [found[1] for found in called if found]


@pytest.mark.parametrize("line", command_lines())
def test_a_documented_command_line_is_understood(line: str) -> None:
    command: Any = typer.main.get_command(cli)
    words = shlex.split(line, comments=True)
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]

    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_every_documented_import_string_exists() -> None:
    named = {found for page in PAGES for found in re.findall(r"\b(hubbub[\w.]*):([A-Za-z]\w+)", page.read_text())}

    assert named
    assert [found for found in named if not hasattr(import_module(found[0]), found[1])] == []


def test_a_list_in_a_variable_is_json_as_documented() -> None:
    (example,) = re.findall(r"(HUBBUB_ALLOWED_ORIGINS)='(\[.*\])'", (DOCS / "settings.md").read_text())

    shown = subprocess.run(
        [sys.executable, "-m", "hubbub.cli", "settings", "--json"],
        env=os.environ | {example[0]: example[1]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    values = {row["environment"]: row["value"] for row in json.loads(shown.stdout)}
    assert values[example[0]] == json.loads(example[1])


async def test_the_headers_of_a_trusted_proxy_count_as_documented() -> None:
    app = FastAPI()
    settings = DEFAULTS.model_copy(update={"connections_per_address": 1})
    app.include_router(Hubbub(guests="on", settings=settings).router)
    believing = Settings.model_validate({"trusted_proxies": ["127.0.0.1"]})

    async with serving(app, settings=believing) as server:
        # The headers that nginx sends with the configuration in docs/operations.md, which ends TLS.
        origin = {"origin": server.url.replace("http:", "https:"), "x-forwarded-proto": "https"}
        async with (
            server.connect("/ws", headers=origin | {"x-forwarded-for": "192.0.2.1"}),
            server.connect("/ws", headers=origin | {"x-forwarded-for": "192.0.2.2"}),
        ):
            with pytest.raises(InvalidStatus) as refused:
                async with server.connect("/ws", headers=origin | {"x-forwarded-for": "192.0.2.1"}):
                    pass

    assert refused.value.response.status_code == 429


# Links.


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(_BLOCK.sub("", page.read_text())) if "://" not in link]

    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", [DOCS / "architecture.md", REPOSITORY / "CONTRIBUTING.md"], ids=name)
def test_every_named_file_of_the_package_exists(page: Path) -> None:
    named = set(re.findall(r"`([a-z][\w/]*/[\w/]*\.py|[\w/]+/)`", page.read_text()))

    assert named
    assert [path for path in sorted(named) if not any((root / path).exists() for root in (PACKAGE, REPOSITORY))] == []
