"""python-socketio on uvicorn, over its WebSocket transport from the start."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench import programs, websocket
from bench.systems.base import Step, System, upgraded


class PythonSocketIO(System):
    name = "socketio"
    title = "python-socketio"
    scenarios = System.scenarios | {"attack"}

    def command(self, port: int) -> Sequence[str]:
        return [
            *(str(programs.python()), "-m", "uvicorn", "socketio_rooms:app", "--app-dir", str(programs.PEERS)),
            *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
            # The load generator answers no pings: no measurement may last until the server misses one.
            *("--ws-ping-interval", "600"),
        ]

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        # Engine.IO 4: "0{...}" opens; "40" asks for the namespace; "42<id>[...]" is an event whose
        # acknowledgement is "43<id>[...]".
        join = f'421["join",{json.dumps(room)}]'.encode()
        return [
            upgraded("/socket.io/?EIO=4&transport=websocket", port),
            Step(websocket.frame(b"40"), until=b'40{"sid"'),
            Step(websocket.frame(join), until=b"431["),
        ]

    def hostile_text(self, padding: bytes) -> bytes:
        return b'42["message",{"room":"attack","text":"x","pad":"%s"}]' % padding

    def message(self, room: str, text: str, number: int) -> bytes:
        return websocket.frame(b"42" + json.dumps(["message", {"room": room, "text": text}]).encode())

    def version(self) -> str:
        return programs.python_versions("python-socketio", "python-engineio", "uvicorn", "uvloop")
