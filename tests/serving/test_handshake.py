"""The opening handshake as bytes: what is agreed on, and what is refused."""

import pytest
from websockets.exceptions import InvalidHeaderValue
from websockets.extensions.permessage_deflate import PerMessageDeflate

from hubbub.serving.handshake import Agreement, HandshakeRefused, Head, HeaderList, agree, denial, parse_head

# The example of RFC 6455, section 1.3.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

HEADERS: HeaderList = [
    (b"host", b"localhost"),
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", KEY),
    (b"sec-websocket-version", b"13"),
]


def head(*more: tuple[bytes, bytes], method: str = "GET", target: bytes = b"/ws", **replaced: bytes) -> Head:
    changed = {name.replace("_", "-").encode(): value for name, value in replaced.items()}
    return Head(method, target, "1.1", [(name, changed.get(name, value)) for name, value in HEADERS] + list(more))


def refused(request: Head) -> bytes:
    with pytest.raises(HandshakeRefused) as refusal:
        agree(request, compress=True)
    return refusal.value.response


def test_the_key_of_the_rfc_gets_the_answer_of_the_rfc() -> None:
    assert agree(head(), compress=True) == Agreement(ACCEPT, None, [])


@pytest.mark.parametrize("connection", [b"keep-alive, Upgrade", b"upgrade", b"Upgrade , keep-alive"])
def test_an_upgrade_is_found_among_other_options(connection: bytes) -> None:
    assert agree(head(connection=connection), compress=True).accept == ACCEPT


def test_a_head_with_a_repeated_header_is_checked_fully() -> None:
    assert agree(head((b"cookie", b"a=1"), (b"cookie", b"b=2")), compress=True).accept == ACCEPT
    assert refused(head((b"sec-websocket-key", KEY))).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head(method="POST"), 405),
        (head(connection=b"keep-alive"), 426),
        (head(upgrade=b"h2c"), 426),
        (head(sec_websocket_version=b"8"), 400),
        (head(sec_websocket_key=b"short"), 400),
        (head(sec_websocket_key=KEY + b"AAAA"), 400),
        (head(sec_websocket_extensions=b"", target="/ü".encode()), 400),
        (head()._replace(version="1.0"), 505),
        (head((b"sec-websocket-extensions", b"permessage-deflate; ; =")), 400),
    ],
)
def test_a_wrong_handshake_is_refused_with_the_status_that_says_why(request_: Head, status: int) -> None:
    assert refused(request_).startswith(b"HTTP/1.1 %d " % status)


def test_compression_keeps_no_context_on_either_side() -> None:
    offer = (b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits")

    agreement = agree(head(offer), compress=True)

    assert agreement.extensions_header == ("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    (extension,) = agreement.extensions
    assert isinstance(extension, PerMessageDeflate)
    assert extension.local_no_context_takeover
    assert extension.remote_no_context_takeover


def test_compression_that_is_off_is_not_agreed_on() -> None:
    assert agree(head((b"sec-websocket-extensions", b"permessage-deflate")), compress=False) == (ACCEPT, None, [])


def test_each_client_gets_its_own_extensions() -> None:
    offer = (b"sec-websocket-extensions", b"permessage-deflate")

    first, second = agree(head(offer), compress=True), agree(head(), compress=True)

    assert len(first.extensions) == 1
    assert second.extensions == []


def test_the_answer_carries_the_headers_of_the_server_and_the_application() -> None:
    response = agree(head(), compress=True).response(subprotocol="hubbub.v1.json", headers=[(b"x-name", b"value")])

    assert response == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n"
        b"x-name: value\r\nSec-WebSocket-Protocol: hubbub.v1.json\r\n\r\n"
    )


def test_an_application_cannot_smuggle_a_line_into_the_answer() -> None:
    agreement = agree(head(), compress=True)

    with pytest.raises(InvalidHeaderValue):
        agreement.response(subprotocol=None, headers=[(b"x-name", b"a\r\nset-cookie: b")])
    with pytest.raises(InvalidHeaderValue):
        agreement.response(subprotocol="a\r\nset-cookie: b", headers=[])


def test_a_denial_says_how_long_it_is() -> None:
    response = denial(418, [(b"content-type", b"application/json")], b'{"tea": true}')

    assert response.startswith(b"HTTP/1.1 418 ")
    assert b"Content-Length: 13\r\n" in response
    assert b"Connection: close\r\n" in response
    assert response.endswith(b'\r\n\r\n{"tea": true}')


def test_a_head_that_uvicorn_wrote_is_parsed() -> None:
    lines = b"".join(name.title() + b": " + value + b"\r\n" for name, value in HEADERS)

    assert parse_head(b"GET /ws?a=1 HTTP/1.1\r\n" + lines + b"\r\n") == head(target=b"/ws?a=1")


def test_a_header_with_many_values_gives_each_value() -> None:
    request = head((b"sec-websocket-protocol", b"a, b"), (b"sec-websocket-protocol", b"c"))

    assert list(request.values(b"sec-websocket-protocol")) == ["a", "b", "c"]
