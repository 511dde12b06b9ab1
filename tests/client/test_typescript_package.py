"""The TypeScript client as others use it: packed, installed in an empty folder, run by Node.js, and type-checked."""

import json
from pathlib import Path

import pytest

from tests.client.npm import check_types, node
from tests.conftest import ServerFactory

pytestmark = pytest.mark.slow(4)

CHAT = """
import { Client, CommandRefused } from 'hubbub-client';
CODEC
const heard = [];
const client = new Client({
  address: `${process.argv[2]}/ws?username=alice`,
  codec,
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
client.send('general', 'It works 👍');
"""

CODECS = {
    "json": "const codec = undefined;",
    "msgpack": "import { msgpack as codec } from 'hubbub-client/msgpack';",
}

CONSUMER = """
import { Client, type Event, type RoomsPage } from 'hubbub-client';
import { msgpack } from 'hubbub-client/msgpack';

const said: string[] = [];
const client = new Client({
  address: 'ws://localhost:8000/ws',
  codec: msgpack,
  onEvent: (event: Event) => {
    if (event.type === 'message') said.push(event.text.toUpperCase());
  },
});
const page: RoomsPage = await client.rooms({ q: 'general' });
const online: number | undefined = page.rooms[0]?.online;
client.send('general', `${online} are here`);
"""

MISTAKE = "client.send('general', 42);\n"


def test_the_package_holds_modules_and_types_and_needs_no_other(outside: Path) -> None:
    installed = outside / "node_modules/hubbub-client"
    described = json.loads((installed / "package.json").read_text())
    modules = {path.name: path.read_text() for path in (installed / "dist").iterdir()}

    assert {path.name for path in installed.iterdir()} == {"package.json", "README.md", "dist"}
    assert {Path(name).suffixes[-1] for name in modules} == {".js", ".ts"}
    assert not described.keys() & {"dependencies", "publishConfig"}
    assert described["peerDependenciesMeta"] == {name: {"optional": True} for name in described["peerDependencies"]}
    assert [name for name, text in modules.items() if "from '@" in text] == ["msgpack.js"]
    assert [name for name, text in modules.items() if "msgpack.js" in text] == []


@pytest.mark.parametrize("codec", CODECS)
def test_a_program_chats_with_a_server(folder: Path, serve: ServerFactory, codec: str) -> None:
    server = serve()
    (folder / "chat.js").write_text(CHAT.replace("CODEC", CODECS[codec]))

    said = json.loads(node("chat.js", server.ws_url, cwd=folder))

    assert said["heard"] == ["Hello", "It works 👍"]
    assert said["rooms"] == [{"room": "general", "name": "general", "online": 1}]
    assert (said["users"], said["isRefused"]) == (["alice"], "invalid")


@pytest.mark.parametrize("resolution", [["nodenext", "nodenext"], ["esnext", "bundler"]], ids=["Node.js", "a bundler"])
def test_a_program_in_typescript_is_checked(folder: Path, resolution: list[str]) -> None:
    module, way = resolution
    # Without the browser's types, so that the package's own types are all that is checked.
    options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2023"]
    options += ["--module", module, "--moduleResolution", way]
    (folder / "consumer.ts").write_text(CONSUMER)
    (folder / "wrong.ts").write_text(CONSUMER + MISTAKE)

    with pytest.raises(AssertionError) as caught:
        check_types(*options, "consumer.ts", "wrong.ts", cwd=folder)

    (complaint,) = str(caught.value).splitlines()[:1]
    assert complaint.startswith(f"wrong.ts({(CONSUMER + MISTAKE).count(chr(10))},")
    assert "not assignable to parameter of type 'string'" in complaint
