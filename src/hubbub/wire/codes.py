"""All error codes and close codes, in one table each, with what they mean and whether a client should try again.

RFC 6455, section 7.4 defines close codes below 3000 and leaves 4000 to 4999 to applications.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from hubbub.errors import RequestError


class ErrorMeaning(NamedTuple):
    meaning: str
    may_retry: bool
    status: int
    """The status of an HTTP answer with this error (RFC 9110, section 15)."""


class ErrorCode(StrEnum):
    """`error.code`. An error never closes the connection; only a close code does."""

    INVALID = "invalid"
    UNKNOWN_TYPE = "unknown_type"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


ERROR_MEANINGS: dict[ErrorCode, ErrorMeaning] = {
    ErrorCode.INVALID: ErrorMeaning(
        "A field is missing, of the wrong type or out of range; `errors` names it.", False, 400
    ),
    ErrorCode.UNKNOWN_TYPE: ErrorMeaning("No command has this `type`.", False, 400),
    ErrorCode.UNAUTHENTICATED: ErrorMeaning("No identity, or one that is not valid any more.", False, 401),
    ErrorCode.FORBIDDEN: ErrorMeaning("This user may not do this here.", False, 403),
    ErrorCode.NOT_FOUND: ErrorMeaning("There is no such room, message, user or topic.", False, 404),
    ErrorCode.CONFLICT: ErrorMeaning("The name is taken, or the key was used with another content.", False, 409),
    ErrorCode.RATE_LIMITED: ErrorMeaning("Too many; repeat after `retry_after` milliseconds.", True, 429),
    ErrorCode.TOO_LARGE: ErrorMeaning("Over a documented size.", False, 413),
    ErrorCode.UNAVAILABLE: ErrorMeaning("It cannot be done now; repeat it as it is, later.", True, 503),
    ErrorCode.INTERNAL: ErrorMeaning("The server's own fault; its log says more.", True, 500),
}


def may_retry(code: str) -> bool:
    """Whether the same command may succeed later. A code that this version does not know is an application's own
    refusal."""
    return code in ERROR_MEANINGS and ERROR_MEANINGS[ErrorCode(code)].may_retry


def error_meaning(error: RequestError) -> ErrorMeaning:
    """What an error means. If an application's own class has a code of its own, it means what its base class means."""
    for base in type(error).__mro__:
        code = vars(base).get("code")
        if code in ERROR_MEANINGS:
            return ERROR_MEANINGS[ErrorCode(code)]
    return ERROR_MEANINGS[ErrorCode.INTERNAL]


class CloseMeaning(NamedTuple):
    meaning: str
    reconnect: bool
    after_a_while: bool = False
    """Whether a client waits longer than after other codes before it reconnects."""


class CloseCode(IntEnum):
    """Why a connection ended."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    NOT_ALIVE = 4408


CLOSE_MEANINGS: dict[CloseCode, CloseMeaning] = {
    CloseCode.NORMAL: CloseMeaning("Done.", False),
    CloseCode.GOING_AWAY: CloseMeaning("The client or the server goes away.", True),
    CloseCode.PROTOCOL_ERROR: CloseMeaning("A frame that RFC 6455 does not allow.", False),
    CloseCode.ABNORMAL_CLOSURE: CloseMeaning("Never sent: the link ended without a close frame.", True),
    CloseCode.INVALID_DATA: CloseMeaning("A text frame that is not UTF-8.", False),
    CloseCode.POLICY_VIOLATION: CloseMeaning("The limits were broken again and again.", True, after_a_while=True),
    CloseCode.TOO_BIG: CloseMeaning("A frame over the size limit.", False),
    CloseCode.INTERNAL_ERROR: CloseMeaning("The server's own fault.", True),
    CloseCode.SERVICE_RESTART: CloseMeaning("The server restarts.", True),
    CloseCode.TRY_AGAIN_LATER: CloseMeaning("The server is too busy.", True),
    CloseCode.UNAUTHENTICATED: CloseMeaning("The identity expired or was revoked; log in first.", False),
    CloseCode.FORBIDDEN: CloseMeaning("Banned, or no longer allowed here.", False),
    CloseCode.NOT_ALIVE: CloseMeaning("No frame of any kind for two heartbeats.", True),
}
