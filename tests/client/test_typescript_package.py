"""The TypeScript client as others use it: packed, installed in an empty folder, run by Node.js, and type-checked."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import hatch_build
from tests.conftest import ServerFactory
from tests.servers import REPOSITORY

CLIENT = REPOSITORY / "clients/typescript"

CHAT = """
import { Client, CommandRefused } from 'hubbub-client';

const heard = [];
const client = new Client({
  address: `${process.argv[2]}/ws?username=alice`,
  onEvent: async (event) => {
    if (event.type === 'message') heard.push(event.text);
    if (heard.length < 2) return;
    const { rooms } = await client.rooms({ q: 'gen' });
    const { users } = await client.online('general');
    const refused = await client.rooms({ limit: 0 }).catch((error) => error);
    const isRefused = refused instanceof CommandRefused && refused.failure.code;
    console.log(JSON.stringify({ heard, rooms, users: users.map(({ name }) => name), isRefused }));
    client.connection.close();
  },
});
client.join('general');
client.connection.open();
client.send('general', 'Hello');
client.send('general', 'It works');
"""

CONSUMER = """
import { Client, type Event, type RoomsPage } from 'hubbub-client';

const client = new Client({
  address: 'ws://localhost:8000/ws',
  onEvent: (event: Event) => {
    if (event.type === 'message') console.log(event.text.toUpperCase());
  },
});
const page: RoomsPage = await client.rooms({ q: 'general' });
const online: number | undefined = page.rooms[0]?.online;
client.send('general', `${online} are here`);
"""

MISTAKE = "\nclient.send('general', 42);\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository, with the package in it and nothing else."""
    tarball = packed(tmp_path_factory.mktemp("packed"))
    folder = tmp_path_factory.mktemp("outside")
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    npm("install", "--offline", str(tarball), cwd=folder)
    return folder


def packed(folder: Path) -> Path:
    package = folder / "client"
    package.mkdir()
    for name in ("package.json", "README.md", "tsconfig.build.json"):
        shutil.copy(CLIENT / name, package)
    shutil.copytree(CLIENT / "src", package / "src")
    check_types("-p", str(package / "tsconfig.build.json"), cwd=package)
    npm("pack", str(package), cwd=folder)
    (tarball,) = folder.glob("*.tgz")
    return tarball


def run(*command: str, cwd: Path) -> str:
    node = hatch_build.find_node()
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(node.folder), os.environ.get("PATH", os.defpath)]),
        "npm_config_cache": str(REPOSITORY / ".cache/npm"),
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def npm(*arguments: str, cwd: Path) -> str:
    return run(*hatch_build.find_node().npm, *arguments, cwd=cwd)


def check_types(*arguments: str, cwd: Path) -> str:
    compiler = REPOSITORY / "web/node_modules/typescript/bin/tsc"
    return run("node", str(compiler), *arguments, cwd=cwd)


def test_the_package_holds_modules_and_types_and_needs_no_other(folder: Path) -> None:
    installed = folder / "node_modules/hubbub-client"
    described = json.loads((installed / "package.json").read_text())

    assert {path.name for path in installed.iterdir()} == {"package.json", "README.md", "dist"}
    assert {path.suffixes[-1] for path in (installed / "dist").iterdir()} == {".js", ".ts"}
    assert not described.keys() & {"dependencies", "peerDependencies", "publishConfig"}
    assert [path.name for path in (folder / "node_modules").iterdir() if path.name[0] != "."] == ["hubbub-client"]


def test_a_program_chats_with_a_server(folder: Path, serve: ServerFactory) -> None:
    server = serve()
    (folder / "chat.js").write_text(CHAT)
    version = run("node", "--version", cwd=folder)
    flags = ["--experimental-websocket", "--no-warnings"] if version.startswith("v20.") else []

    said = json.loads(run("node", *flags, "chat.js", server.ws_url, cwd=folder))

    assert said["heard"] == ["Hello", "It works"]
    assert said["rooms"] == [{"room": "general", "name": "general", "online": 1}]
    assert (said["users"], said["isRefused"]) == (["alice"], "invalid")


@pytest.mark.parametrize("resolution", [["nodenext", "nodenext"], ["esnext", "bundler"]], ids=["Node.js", "a bundler"])
def test_a_program_in_typescript_is_checked(folder: Path, resolution: list[str]) -> None:
    module, way = resolution
    options = (
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2022",
        "--module",
        module,
        "--moduleResolution",
        way,
    )
    (folder / "consumer.ts").write_text(CONSUMER)
    check_types(*options, "consumer.ts", cwd=folder)

    (folder / "wrong.ts").write_text(CONSUMER + MISTAKE)
    with pytest.raises(AssertionError, match="not assignable to parameter of type 'string'"):
        check_types(*options, "wrong.ts", cwd=folder)
