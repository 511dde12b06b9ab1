"""Greets a Redis server, and says in words what is wrong with it.

A `ConfigurationError` is for the person who starts the server. `RedisAway` is for trouble that may end by itself.
"""

from __future__ import annotations

import os
import re
import ssl

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import ProtocolError, RedisAway, RedisConnection, ReplyError
from hubbub.errors import ConfigurationError

OLDEST = (7, 0)

_PASSING = {"LOADING", "MASTERDOWN", "BUSY", "OOM", "READONLY", "TRYAGAIN", "CLUSTERDOWN", "MISCONF"}
"""Errors that end by themselves, or when another server has taken over."""
_NO_RESP3 = (
    "it does not understand HELLO 3 (RESP3). Hubbub needs Redis 7.0 or newer, and no proxy before it that speaks an "
    "older protocol"
)


async def say_hello(connection: RedisConnection, address: RedisAddress) -> None:
    """Log in, and see what is there. Raises `ConfigurationError`, `RedisAway`, and what `call` raises."""
    log_in = ("AUTH", address.user or "default", address.password or "") if address.user or address.password else ()
    try:
        hello = await connection.call("HELLO", 3, *log_in, "SETNAME", "hubbub")
    except ReplyError as error:
        raise _refused_hello(error, address) from None
    if not isinstance(hello, dict):
        raise ConfigurationError(f"{address}: {_NO_RESP3}")
    version = hello.get(b"version", b"").decode()
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < OLDEST:
        raise ConfigurationError(f"{address}: it is Redis {version}; Hubbub needs 7.0 or newer")
    if hello.get(b"mode") == b"cluster":
        raise ConfigurationError(
            f"{address}: it belongs to a Redis Cluster; give servers that stand alone, several with commas"
        )
    if hello.get(b"role") != b"master":
        raise RedisAway("it is a replica, which passes nothing on to others; its primary is needed")
    if address.database:
        await connection.call("SELECT", address.database)


def _refused_hello(error: Exception, address: RedisAddress) -> Exception:
    # The error's text is not repeated: older servers quote the command with the password.
    word = str(error).split(" ", 1)[0]
    if "max number of clients" in str(error):
        return RedisAway("it has no place for another client")
    if word in _PASSING:
        return RedisAway(f"it says {word}")
    advice = {
        "WRONGPASS": "the user or password in broker_url is wrong (redis://USER:PASSWORD@HOST, special characters as "
        "%XX)",
        "NOAUTH": "it wants a password: redis://:PASSWORD@HOST in broker_url",
    }
    return ConfigurationError(f"{address}: {advice.get(word, _NO_RESP3)}")


def reason_of(error: Exception, address: RedisAddress, *, timeout: float, has_heard: bool) -> Exception:
    """The error for a connection that could not be made or greeted. `has_heard` says whether the server has sent
    anything."""
    advice = _advice(error)
    if advice is not None:
        return ConfigurationError(f"{address}: {advice}")
    hint = (
        "" if has_heard else " (does it speak TLS? redis:// if not)" if address.is_tls else " (does it want rediss://?)"
    )
    match error:
        case RedisAway() if not has_heard:
            return RedisAway(f"{error}, before it said anything{hint}")
        case ReplyError():
            return RedisAway(refusal_of(error))
        case TimeoutError():
            return RedisAway(f"it does not answer within {timeout:g} s{hint if address.is_tls else ''}")
        case OSError():
            # asyncio puts its own words into `strerror`, and the resolver of names has its own numbers.
            why = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
            return RedisAway(f"it cannot be reached ({why})")
    return error


def refusal_of(error: ReplyError) -> str:
    """What a server says that refuses a command at the moment, and what to do if that is known."""
    word = str(error).split(" ", 1)[0]
    if word == "OOM":
        return "it has no memory left for writes (OOM): raise its maxmemory"
    return f"it says {word if word in _PASSING else error}"


def _advice(error: Exception) -> str | None:
    """What a person must change; None if nothing."""
    match error:
        case ProtocolError():
            return "the server there is not Redis; check the host and port in broker_url"
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}); name the file of your own authority: "
                "rediss://…?ssl_ca_certs=/path/ca.pem"
            )
        case ssl.SSLError():
            return "it speaks no TLS that we do; without TLS it is redis://…"
        case ReplyError() if str(error).split(" ", 1)[0] not in _PASSING:
            return f"it refuses what Hubbub needs: {error}"
    return None
