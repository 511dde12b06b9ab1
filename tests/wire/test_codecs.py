"""JSON and MessagePack carry the same structures, and refuse what the other one could not carry."""

import math
from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import Invalid
from hubbub.wire.codecs import CODECS, CONTAINERS, JSON_CODEC, MSGPACK_CODEC, NESTING, Codec, check_plain

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
structures = st.dictionaries(
    texts,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)),
    max_size=5,
)

every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


@every_codec
@given(structure=structures)
def test_a_structure_is_unchanged_after_encoding_and_decoding(codec: Codec, structure: dict[str, Any]) -> None:
    assert codec.decode(codec.encode(structure)) == structure


@given(structure=structures)
def test_both_codecs_can_send_what_one_received(structure: dict[str, Any]) -> None:
    from_json = JSON_CODEC.decode(JSON_CODEC.encode(structure))

    assert MSGPACK_CODEC.decode(MSGPACK_CODEC.encode(from_json)) == structure


@every_codec
@given(payload=st.binary(max_size=200))
def test_random_bytes_are_a_structure_or_invalid(codec: Codec, payload: bytes) -> None:
    try:
        structure = codec.decode(payload)
    except Invalid:
        return
    assert isinstance(structure, (dict, list, str, int, float, bool, type(None)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"hello",
        b'{"a": 1} {"b": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"\\ud800"',
        b'"\\ud800\\u0041"',
        b'"\xff"',
        b"[" * 10_000 + b"]" * 10_000,
        b"1" * 10_000,
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_payload_that_is_not_json_is_invalid(payload: bytes) -> None:
    with pytest.raises(Invalid, match="not JSON"):
        JSON_CODEC.decode(payload)


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "not MessagePack"),
        (b"\xc1", "not MessagePack"),
        (b"\xdd\xff\xff\xff\xff", "not MessagePack"),
        (b"\xdf\xff\xff\xff\xff", "not MessagePack"),
        (b"\xdb\xff\xff\xff\xffabc", "not MessagePack"),
        (b"\xa3\xed\xa0\x80", "not MessagePack"),
        (b"\x91" * 5000 + b"\x00", "not MessagePack"),
        (b"\x81\x01\x02", "not MessagePack"),
        (b"\xd6\xff\x00\x00\x00\x00", "not MessagePack"),
        (b"\x91" * (NESTING + 1) + b"\x00", "nested deeper"),
        (b"\xc4\x01a", "binary"),
        (ormsgpack.packb({"a": [math.nan]}), "finite"),
        (ormsgpack.packb([math.inf]), "finite"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_messagepack_that_is_broken_or_impossible_in_json_is_invalid(payload: bytes, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        MSGPACK_CODEC.decode(payload)


@every_codec
def test_a_frame_with_too_many_lists_and_objects_is_invalid(codec: Codec) -> None:
    most: dict[str, Any] = {"type": "ping", "x": [[], {}] * ((CONTAINERS - 2) // 2)}
    too_many = {**most, "y": []}

    assert codec.decode(codec.encode(most)) == most
    with pytest.raises(Invalid, match="lists and objects"):
        codec.decode(codec.encode(too_many))
    assert codec.decode(codec.encode(too_many), containers=None) == too_many


@pytest.mark.parametrize(
    ("codec", "payload"),
    [(JSON_CODEC, b'{"a":1,"a":2}'), (MSGPACK_CODEC, b"\x82\xa1a\x01\xa1a\x02")],
    ids=["json", "msgpack"],
)
def test_the_last_of_two_equal_keys_counts(codec: Codec, payload: bytes) -> None:
    assert codec.decode(payload) == {"a": 2}


def test_a_number_too_large_for_a_float_is_not_plain() -> None:
    with pytest.raises(Invalid, match="finite"):
        check_plain(JSON_CODEC.decode(b'{"a": 1e400}'))


def test_the_deepest_plain_structure_has_as_many_levels_as_the_limit() -> None:
    deepest = JSON_CODEC.decode(b"[" * (NESTING - 1) + b"0" + b"]" * (NESTING - 1))

    check_plain(deepest)
    with pytest.raises(Invalid, match="nested deeper"):
        check_plain([deepest])
