"""Frames are built once for all and parsed as they come. Each direction is tested against another implementation."""

import random
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets import frames as peer
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import State
from websockets.uri import parse_uri

from hubbub.wire.codes import CloseCode
from hubbub.wire.frames import AT_ONCE, FrameParser, Opcode, Received, close_frame, deflate, frame, work_of

LIMIT = 64 * 1024
RSV1, RSV2 = 0x40, 0x20


def sent(opcode: int, data: bytes = b"", *, fin: bool = True, reserved: int = 0, mask: bool = True) -> bytes:
    """A frame as the client of `websockets` sends it, but also with reserved bits, which that refuses to send."""
    serialized = peer.Frame(peer.Opcode(opcode), data, fin).serialize(mask=mask)
    return bytes((serialized[0] | reserved,)) + serialized[1:]


def all_of(parser: FrameParser, data: bytes) -> list[Received]:
    received = parser.receive(data)
    while parser.has_more:
        received += parser.receive(b"")
    return received


def read(data: bytes, *, max_size: int = LIMIT, deflate: bool = False) -> tuple[list[Received], int | None]:
    """Messages, and the close code of a violation."""
    parser = FrameParser(max_size, deflate=deflate)
    received = all_of(parser, data)
    return received, parser.violation and int(parser.violation.code)


def read_in_pieces(pieces: list[bytes], **options: bool) -> tuple[list[Received], int | None]:
    parser = FrameParser(LIMIT, **options)
    received = [message for piece in pieces for message in all_of(parser, piece)]
    return received, parser.violation and int(parser.violation.code)


messages = st.one_of(
    st.tuples(st.just(Opcode.BINARY), st.binary(max_size=300)),
    st.tuples(st.just(Opcode.TEXT), st.text(max_size=100).map(lambda text: text.encode(errors="replace"))),
    st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)),
)


@given(st.lists(messages, max_size=8), st.randoms(use_true_random=False))
def test_frames_of_websockets_arrive_in_pieces_of_any_size(
    conversation: list[tuple[Opcode, bytes]], chance: random.Random
) -> None:
    data = b"".join(sent(opcode, payload) for opcode, payload in conversation)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(min(6, len(data))))
    pieces = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]

    assert read_in_pieces(pieces) == (conversation, None)


def test_frames_of_every_length_form_arrive_byte_by_byte() -> None:
    lengths = (0, 1, 125, 126, 127, 300, 65_535, 65_536)
    data = b"".join(sent(Opcode.BINARY, bytes(length)) for length in lengths)

    parser = FrameParser(LIMIT)
    received = [message for byte in data for message in parser.receive(bytes((byte,)))]

    assert [len(message.payload) for message in received] == list(lengths)


def test_a_message_in_fragments_with_a_ping_between_them_arrives_at_every_cut() -> None:
    data = (
        sent(Opcode.TEXT, "Zoë".encode()[:3], fin=False)
        + sent(Opcode.PING, b"there?")
        + sent(Opcode.CONTINUATION, "Zoë".encode()[3:], fin=False)
        + sent(Opcode.CONTINUATION, b"!")
        + sent(Opcode.BINARY, b"after")
    )
    expected = [(Opcode.PING, b"there?"), (Opcode.TEXT, "Zoë!".encode()), (Opcode.BINARY, b"after")]

    for cut in range(len(data) + 1):
        assert read_in_pieces([data[:cut], data[cut:]]) == (expected, None), cut


@settings(max_examples=500)
@given(st.lists(st.binary(max_size=60), max_size=6), st.booleans())
def test_random_bytes_give_messages_or_a_violation_and_never_raise(pieces: list[bytes], compressing: bool) -> None:
    parser = FrameParser(LIMIT, deflate=compressing)

    for piece in pieces:
        was_broken = parser.violation is not None
        received = parser.receive(piece)
        assert not (was_broken and received)
        for message in received:
            assert message.opcode in set(Opcode) - {Opcode.CONTINUATION}


VIOLATIONS = {
    "unmasked": (sent(Opcode.TEXT, b"hi", mask=False), CloseCode.PROTOCOL_ERROR),
    "rsv1 without compression": (sent(Opcode.TEXT, b"hi", reserved=RSV1), CloseCode.PROTOCOL_ERROR),
    "rsv2": (sent(Opcode.TEXT, b"hi", reserved=RSV2), CloseCode.PROTOCOL_ERROR),
    "reserved data opcode": (b"\x83\x80mask", CloseCode.PROTOCOL_ERROR),
    "reserved control opcode": (b"\x8b\x80mask", CloseCode.PROTOCOL_ERROR),
    "fragmented ping": (b"\x09\x80mask", CloseCode.PROTOCOL_ERROR),
    "ping of 126 bytes": (b"\x89\xfe\x00\x7emask" + bytes(126), CloseCode.PROTOCOL_ERROR),
    "nothing to continue": (sent(Opcode.CONTINUATION, b"hi"), CloseCode.PROTOCOL_ERROR),
    "a message within a message": (
        sent(Opcode.TEXT, b"a", fin=False) + sent(Opcode.TEXT, b"b"),
        CloseCode.PROTOCOL_ERROR,
    ),
    "text that is no UTF-8": (sent(Opcode.TEXT, b"\xff"), CloseCode.INVALID_DATA),
    "text with a lone surrogate": (sent(Opcode.TEXT, b"\xed\xa0\x80"), CloseCode.INVALID_DATA),
    "fragments that are no UTF-8": (
        sent(Opcode.TEXT, b"\xc3", fin=False) + sent(Opcode.CONTINUATION, b"("),
        CloseCode.INVALID_DATA,
    ),
    "close of one byte": (sent(Opcode.CLOSE, b"\x03"), CloseCode.PROTOCOL_ERROR),
    "close with a code that may not be sent": (sent(Opcode.CLOSE, b"\x03\xed"), CloseCode.PROTOCOL_ERROR),
    "close with a reason that is no UTF-8": (sent(Opcode.CLOSE, b"\x03\xe8\xff"), CloseCode.INVALID_DATA),
    "a frame over the limit": (sent(Opcode.BINARY, bytes(LIMIT + 1)), CloseCode.TOO_BIG),
    "a length of one tebibyte": (b"\x82\xff" + (1 << 40).to_bytes(8, "big"), CloseCode.TOO_BIG),
    "a length with the highest bit": (b"\x82\xff" + b"\xff" * 8, CloseCode.TOO_BIG),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_has_its_close_code_and_ends_the_parsing(name: str) -> None:
    data, code = VIOLATIONS[name]

    before, after = sent(Opcode.TEXT, b"before"), sent(Opcode.TEXT, b"after")

    assert read(before + data + after) == ([(Opcode.TEXT, b"before")], code)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_found_in_pieces_of_any_size(name: str) -> None:
    data, code = VIOLATIONS[name]
    cuts = range(1, min(len(data), 30))

    for cut in cuts:
        assert read_in_pieces([data[:cut], data[cut:]])[1] == code, cut


@pytest.mark.parametrize("name", ["unmasked", "a frame over the limit", "a length of one tebibyte", "rsv2"])
def test_a_violation_of_a_frames_head_is_found_before_its_payload_comes(name: str) -> None:
    data, code = VIOLATIONS[name]

    assert read(data[:10])[1] == code


def test_the_limit_counts_all_fragments_before_the_last_one_comes() -> None:
    half = sent(Opcode.BINARY, bytes(40_000), fin=False)
    other_head = sent(Opcode.CONTINUATION, bytes(40_000))[:8]

    assert read(half + other_head)[1] == CloseCode.TOO_BIG


def test_endless_empty_fragments_come_to_an_end() -> None:
    parser = FrameParser(LIMIT)
    parser.receive(sent(Opcode.TEXT, b"", fin=False))
    empty = sent(Opcode.CONTINUATION, b"", fin=False) * 1000

    for _ in range(LIMIT // 1000):
        parser.receive(empty)
    while parser.has_more:
        parser.receive(b"")

    assert parser.violation is not None
    assert parser.violation.code == CloseCode.TOO_BIG


def test_a_header_that_promises_a_tebibyte_allocates_nothing() -> None:
    parser = FrameParser(1 << 41)
    header = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask"

    tracemalloc.start()
    try:
        parser.receive(header)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert parser.violation is None
    assert peak < 10_000


def raw_deflate(data: bytes, wbits: int = -15) -> bytes:
    compressor = zlib.compressobj(9, wbits=wbits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("wbits", [-9, -12, -15])
def test_a_compressed_message_is_inflated_with_any_window(wbits: int) -> None:
    text = b"hello again, " * 1000

    assert read(sent(Opcode.TEXT, raw_deflate(text, wbits), reserved=RSV1), deflate=True) == (
        [(Opcode.TEXT, text)],
        None,
    )


def test_an_uncompressed_message_is_always_allowed() -> None:
    assert read(sent(Opcode.TEXT, b"plain"), deflate=True) == ([(Opcode.TEXT, b"plain")], None)


def test_a_compressed_message_may_come_in_fragments() -> None:
    packed = raw_deflate(b"hello again, " * 1000)
    data = sent(Opcode.TEXT, packed[:20], fin=False, reserved=RSV1) + sent(Opcode.CONTINUATION, packed[20:])

    for cut in range(len(data) + 1):
        received, violation = read_in_pieces([data[:cut], data[cut:]], deflate=True)
        assert violation is None
        assert received == [(Opcode.TEXT, b"hello again, " * 1000)]


def test_a_compressed_continuation_is_a_violation() -> None:
    data = sent(Opcode.TEXT, b"a", fin=False) + sent(Opcode.CONTINUATION, b"b", reserved=RSV1)

    assert read(data, deflate=True)[1] == CloseCode.PROTOCOL_ERROR


def test_a_damaged_compressed_message_is_a_violation() -> None:
    assert read(sent(Opcode.TEXT, b"\xff" * 40, reserved=RSV1), deflate=True)[1] == CloseCode.PROTOCOL_ERROR


def test_a_packet_that_inflates_to_very_much_is_parsed_in_parts() -> None:
    large = sent(Opcode.TEXT, raw_deflate(b" " * LIMIT), reserved=RSV1)
    parser = FrameParser(LIMIT, deflate=True)
    tracemalloc.start()
    try:
        data = large * 500 + sent(Opcode.TEXT, b"end")
        count = 0
        while messages := parser.receive(data):
            count, last, data = count + len(messages), messages[-1], b""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (count, last) == (501, (Opcode.TEXT, b"end"))
    assert peak < 4_000_000


def test_a_compression_bomb_is_refused_in_little_memory() -> None:
    bomb = sent(Opcode.BINARY, raw_deflate(bytes(50_000_000)), reserved=RSV1)
    assert len(bomb) < LIMIT
    parser = FrameParser(LIMIT, deflate=True)

    tracemalloc.start()
    try:
        assert parser.receive(bomb) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert parser.violation is not None
    assert parser.violation.code == CloseCode.TOO_BIG
    assert peak < 1_000_000


def client_reads(data: bytes, *, compressing: bool = False) -> tuple[list[peer.Frame], ClientProtocol]:
    """The frames that the client of `websockets` reads from a server's bytes."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=2**20)
    if compressing:
        client.extensions = [PerMessageDeflate(True, True, 15, 15)]
    client.receive_data(data)
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, peer.Frame)], client


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 500_000])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY], ids=lambda opcode: opcode.name)
def test_the_client_of_websockets_reads_our_frames(opcode: Opcode, length: int) -> None:
    frames, _ = client_reads(frame(opcode, b"x" * length))

    assert [(int(found.opcode), bytes(found.data), found.fin) for found in frames] == [
        (int(opcode), b"x" * length, True)
    ]


def test_the_client_of_websockets_reads_our_compressed_frames_in_any_order() -> None:
    one, other = (b"one " * 500, b"other " * 500)
    frames, _ = client_reads(
        frame(Opcode.TEXT, deflate(one), compressed=True)
        + frame(Opcode.TEXT, b"plain")
        + frame(Opcode.TEXT, deflate(other), compressed=True)
        + frame(Opcode.TEXT, deflate(one), compressed=True),
        compressing=True,
    )

    assert [bytes(found.data) for found in frames] == [one, b"plain", other, one]


def test_a_reason_too_long_for_a_close_frame_is_cut_between_characters() -> None:
    _, client = client_reads(close_frame(CloseCode.POLICY_VIOLATION, "é" * 100))

    assert client.close_rcvd == peer.Close(1008, "é" * 61)


def test_our_parser_reads_our_own_frames_when_they_are_masked() -> None:
    built = frame(Opcode.TEXT, b"hi")
    masked = bytes((built[0], built[1] | 0x80)) + bytes(4) + built[2:]

    assert read(masked) == ([(Opcode.TEXT, b"hi")], None)


# A bounded amount of work at a time.


def test_one_call_parses_a_part_of_a_packet_and_the_next_calls_the_rest() -> None:
    parser = FrameParser(LIMIT)
    texts = [str(number).encode() for number in range(1000)]

    calls = [parser.receive(b"".join(sent(Opcode.TEXT, text) for text in texts))]
    while parser.has_more:
        calls.append(parser.receive(b""))

    assert max(map(len, calls)) == AT_ONCE
    assert [message.payload for call in calls for message in call] == texts


def test_new_bytes_are_parsed_after_the_rest_of_the_old_ones() -> None:
    parser = FrameParser(LIMIT)
    texts = [str(number).encode() for number in range(3 * AT_ONCE)]
    data = b"".join(sent(Opcode.TEXT, text) for text in texts)

    received = parser.receive(data[:-3])
    assert len(received) == AT_ONCE
    received += all_of(parser, data[-3:])

    assert [message.payload for message in received] == texts


def test_a_small_frame_that_inflates_to_much_is_as_much_work_as_a_large_one() -> None:
    bomb = sent(Opcode.TEXT, raw_deflate(b"x" * 60_000), reserved=RSV1)
    parser = FrameParser(LIMIT, deflate=True)

    assert len(bomb) < 200
    assert len(parser.receive(bomb * 10)) <= 1 + AT_ONCE // work_of(b"x" * 60_000)
    assert parser.has_more
    assert parser.work >= AT_ONCE


def test_fragments_are_work_even_without_a_message() -> None:
    parser = FrameParser(LIMIT)

    parser.receive(sent(Opcode.TEXT, b"", fin=False) + sent(Opcode.CONTINUATION, b"", fin=False) * 1000)
    while parser.has_more:
        parser.receive(b"")

    assert parser.work == 1001


def test_after_our_close_frame_only_the_peers_is_parsed() -> None:
    parser = FrameParser(LIMIT, deflate=True)
    parser.receive(sent(Opcode.TEXT, b"half a mess", fin=False))

    parser.await_close()
    received = parser.receive(
        sent(Opcode.CONTINUATION, b"age")
        + sent(Opcode.TEXT, b"no deflate stream", reserved=RSV1)
        + sent(Opcode.PING, b"there?")
        + sent(Opcode.CLOSE, b"\x03\xe8")
    )

    assert received == [(Opcode.CLOSE, b"\x03\xe8")]
    assert parser.violation is None


def test_a_parser_that_was_stopped_keeps_nothing() -> None:
    parser = FrameParser(LIMIT)
    parser.receive(sent(Opcode.TEXT, b"hello") * 1000)

    parser.stop()

    assert not parser.has_more
    assert not parser.receive(b"")
