"""The addresses of Redis servers, as people write them."""

from pathlib import Path

import pytest

from hubbub.broker.redis_address import RedisAddress, parse_addresses
from hubbub.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", RedisAddress("localhost")),
        ("redis://localhost:6380/", RedisAddress("localhost", 6380)),
        ("redis://10.0.0.5:6379/3", RedisAddress("10.0.0.5", database=3)),
        ("redis://:p%40ss%2C@h", RedisAddress("h", password="p@ss,")),
        ("redis://alice:pw@[::1]:7000/1", RedisAddress("::1", 7000, 1, user="alice", password="pw")),
        ("rediss://redis.example", RedisAddress("redis.example", is_tls=True)),
    ],
)
def test_an_address_says_where_a_server_is(url: str, address: RedisAddress) -> None:
    assert parse_addresses(url) == [address]


def test_several_addresses_keep_their_order() -> None:
    assert [str(address) for address in parse_addresses("redis://b, redis://a/2,rediss://[::1]")] == [
        "redis://b:6379/0",
        "redis://a:6379/2",
        "rediss://[::1]:6379/0",
    ]


def test_its_words_hold_no_password() -> None:
    (address,) = parse_addresses("redis://alice:c4n4ry@h")

    assert "c4n4ry" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("c4n4ry@h", "it does not begin with redis://"),
        ("http://c4n4ry@h", "it does not begin with redis://"),
        ("redis://", "it names no host"),
        ("redis://:c4n4ry#@h", "it is no address"),
        ("redis://:c4n4ry@h#4", "or has a # in it"),
        ("redis://:c4n4ry@h:port", "it is no address"),
        ("redis://:c4n4ry@h/messages", "it has no number of a database after its /"),
        ("redis://:c4n4ry@h?timeout=3", "it has an option after its ? that is none of"),
        ("rediss://:c4n4ry@h?ssl_ca_certs=/nowhere.pem", "it names a file in ssl_ca_certs that is not there"),
        ("redis://a,redis://:c4n4ry@b:x", "address 2 of 2 is no address"),
        ("redis://a,", "address 2 of 2 does not begin with"),
        ("redis://:c4n4ry@a,redis://a:6379/0", "it names the same server twice"),
    ],
)
def test_what_is_no_address_is_told_without_repeating_it(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_addresses(url)

    assert told in str(refused.value)
    assert "c4n4ry" not in str(refused.value)


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    (address,) = parse_addresses(f"rediss://h?ssl_ca_certs={file}")

    with pytest.raises(ConfigurationError, match="the certificates for rediss://h:6379/0 cannot be used"):
        address.tls()
