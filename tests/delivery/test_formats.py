"""One format's bytes serve all who use it: framed for sockets, bare for ASGI servers."""

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from hubbub.delivery.formats import (
    CHUNK_BYTES,
    COMPRESS_FROM,
    MESSAGE_FORMATS,
    RAW_MESSAGE_FORMAT,
    RAW_SOCKET_FORMAT,
    SOCKET_FORMATS,
    Format,
)
from hubbub.wire.publication import Publication

SHORT = Publication("", {"type": "said", "text": "hello"})
LONG = Publication("", {"type": "said", "text": "hello again, " * 200})


def read(data: bytes, *, compressed: bool) -> list[Frame]:
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
    if compressed:
        client.extensions = [PerMessageDeflate(True, True, 15, 15)]
    client.receive_data(data)
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize(("codec", "compressed"), SOCKET_FORMATS)
def test_a_client_reads_what_a_socket_gets(codec: str, compressed: bool) -> None:
    form = SOCKET_FORMATS[codec, compressed]

    (chunk,) = form.chunks([form.piece(SHORT), form.piece(LONG)])

    frames = read(chunk, compressed=compressed)
    assert [form.codec.decode(bytes(frame.data))["text"] for frame in frames] == ["hello", "hello again, " * 200]
    assert {frame.opcode for frame in frames} == {2 if codec == "msgpack" else 1}


def test_only_what_is_long_is_compressed() -> None:
    form = SOCKET_FORMATS["json", True]

    assert form.piece(SHORT) == SOCKET_FORMATS["json", False].piece(SHORT)
    assert len(LONG.payload(form.codec)) > COMPRESS_FROM
    assert len(form.piece(LONG)) < COMPRESS_FROM


def test_a_compressed_piece_needs_no_other_to_be_read() -> None:
    form = SOCKET_FORMATS["json", True]

    for _ in range(2):
        (frame,) = read(form.piece(LONG), compressed=True)
        assert form.codec.decode(bytes(frame.data))["text"] == "hello again, " * 200


@pytest.mark.parametrize("form", [SOCKET_FORMATS["json", False], MESSAGE_FORMATS["json"]], ids=["socket", "message"])
def test_chunks_are_as_few_as_fit_and_keep_the_order(form: Format) -> None:
    pieces = [form.piece(Publication("", {"text": f"{number} {'x' * 900}"})) for number in range(500)]

    chunks = form.chunks(pieces)

    whole = [chunk if isinstance(chunk, bytes) else "".join(chunk).encode() for chunk in chunks]
    assert all(len(chunk) <= CHUNK_BYTES for chunk in whole)
    assert len(chunks) == -(-sum(map(len, whole)) // (CHUNK_BYTES - 1000))
    assert b"".join(whole) == b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)


def test_a_piece_larger_than_a_chunk_is_a_chunk_of_its_own() -> None:
    form = SOCKET_FORMATS["json", False]
    large = form.piece(Publication("", {"text": "x" * (CHUNK_BYTES + 1)}))
    small = form.piece(SHORT)

    assert form.chunks([small, large, small]) == [small, large, small]


def test_nothing_is_no_chunk() -> None:
    assert SOCKET_FORMATS["json", False].chunks([]) == []


def test_a_heartbeat_is_a_ping_and_an_event_for_those_who_cannot_see_pings() -> None:
    form = SOCKET_FORMATS["json", False]

    ping, event = read(form.heartbeat(SHORT), compressed=False)

    assert ping.opcode == 9
    assert form.codec.decode(bytes(event.data))["type"] == "said"
    assert MESSAGE_FORMATS["json"].heartbeat(SHORT) == ['{"type":"said","text":"hello"}']


def test_a_protocol_of_the_application_s_own_gets_no_events_of_ours() -> None:
    (ping,) = read(RAW_SOCKET_FORMAT.heartbeat(SHORT), compressed=False)

    assert ping.opcode == 9
    assert RAW_MESSAGE_FORMAT.heartbeat(SHORT) == []


@pytest.mark.parametrize("message", ["Zoë", b"\x00\xff", "", b""], ids=repr)
def test_a_raw_message_is_text_or_bytes_as_it_was_given(message: str | bytes) -> None:
    (frame,) = read(RAW_SOCKET_FORMAT.raw(message), compressed=False)

    assert bytes(frame.data) == (message.encode() if isinstance(message, str) else message)
    assert frame.opcode == (1 if isinstance(message, str) else 2)
    assert RAW_MESSAGE_FORMAT.raw(message) == message
