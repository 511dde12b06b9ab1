"""All codes on the wire have their meaning in one table."""

from hubbub import errors
from hubbub.wire.codes import CLOSE_MEANINGS, ERROR_MEANINGS, CloseCode, ErrorCode


def test_every_error_code_has_a_meaning() -> None:
    assert set(ERROR_MEANINGS) == set(ErrorCode)
    assert all(entry.meaning for entry in ERROR_MEANINGS.values())


def test_every_close_code_has_a_meaning() -> None:
    assert set(CLOSE_MEANINGS) == set(CloseCode)
    assert all(entry.meaning for entry in CLOSE_MEANINGS.values())


def test_our_own_close_codes_are_in_the_range_for_applications() -> None:
    # RFC 6455, section 7.4: 1000 to 2999 are the protocol's, 3000 to 3999 are registered.
    assert all(code <= 1015 or 4000 <= code <= 4999 for code in CloseCode)


def test_every_request_error_has_a_code_and_every_code_an_error() -> None:
    classes = errors.RequestError.__subclasses__()

    assert {ErrorCode(found.code) for found in classes} == set(ErrorCode)
    assert len(classes) == len(ErrorCode)
