"""The rules for keys, names and texts: what may stand in a frame's fields.

A key is an immutable address (`[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,63}`, unique without regard to case); a name is for
people and may change. Both rules stand in the JSON Schema, so clients can check before they send.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,63}$"
KEY_LENGTH = 64
NAME_LENGTH = 64
TEXT_LENGTH = 4000

_key = re.compile(KEY_PATTERN[:-1] + r"\Z")
_default_ignorable = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""The property Default_Ignorable_Code_Point, whole: DerivedCoreProperties.txt of the Unicode Character Database, 16.0.
Python's `unicodedata` does not know it. Characters that have it show nothing by themselves; some of these code points
are not assigned yet."""
_blank_pattern = 0x2800
"""Braille's pattern without dots shows nothing either, although it is neither ignorable nor white space."""
_nothing: dict[int, None] = dict.fromkeys(
    code_point for first, last in (*_default_ignorable, (_blank_pattern,) * 2) for code_point in range(first, last + 1)
)
_shown = re.compile(
    rf"[^\s{chr(_blank_pattern)}{''.join(f'{chr(first)}-{chr(last)}' for first, last in _default_ignorable)}]"
)
_direction_changing = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""The property Bidi_Control (PropList.txt of the Unicode Character Database)."""
_controls_in_text = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs, which a Python string may hold but UTF-8 cannot carry."""
_WITHOUT_NUL = r"^[^\u0000]*$"
"""PostgreSQL cannot store a text that contains U+0000."""


def is_key(value: str) -> bool:
    return _key.match(value) is not None


def is_topic_pattern(value: str) -> bool:
    """Whether this is a topic, or a pattern that ends in `.*` and means all topics below."""
    return is_key(value.removesuffix(".*"))


def fold(key: str) -> str:
    """The form under which two spellings of one key are the same. Keys are ASCII, so lower case is enough."""
    return key.lower()


class KeyPatterns:
    """A set of keys. A pattern that ends in `*` stands for all keys that begin with what is before it."""

    def __init__(self, patterns: Iterable[str]) -> None:
        folded = [fold(pattern) for pattern in patterns]
        self._keys = frozenset(pattern for pattern in folded if not pattern.endswith("*"))
        self._prefixes = tuple(pattern[:-1] for pattern in folded if pattern.endswith("*"))

    def covers(self, folded: str) -> bool:
        """Whether a folded key is in the set."""
        return folded in self._keys or folded.startswith(self._prefixes)


def clean_name(value: str) -> str:
    """`value` as a name: NFC, without surrounding white space.

    Raises ValueError if it is empty, longer than 64 characters, or holds control or bidirectional override characters
    (which could make one name look like another: Unicode TR 36, section 2.4).
    """
    if value.isascii() and value.isprintable():
        name = value.strip(" ")
    else:
        name = _checked_name(unicodedata.normalize("NFC", value).strip())
    if not name:
        raise ValueError("a name must not be empty")
    if len(name) > NAME_LENGTH:
        raise ValueError(f"a name has at most {NAME_LENGTH} characters")
    return name


def _checked_name(name: str) -> str:
    if not name.translate(_nothing).strip():
        raise ValueError("a name must not be empty")
    if any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in "\u200c\u200d"
        for character in name
    ):
        raise ValueError("a name must not hold control or direction-changing characters")
    return name


def appearance(name: str) -> str:
    """A form that is equal for two names that differ only in compatibility forms, case, blanks and characters that show
    nothing (Unicode 16.0, section 3.13, "NFKC_Casefold")."""
    if name.isascii():
        return " ".join(name.lower().split())
    # An invisible character may stand between two characters that combine when it is gone.
    folded = unicodedata.normalize("NFKC", name.translate(_nothing)).casefold().translate(_nothing)
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def clean_title(value: str) -> str:
    """`value`, unchanged. Raises ValueError if it holds control or direction-changing characters: a title is one line,
    and is shown beside what other people wrote."""
    if any(
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _direction_changing
        for character in value
    ):
        raise ValueError("a title must not hold control or direction-changing characters")
    return value


def clean_text(value: str) -> str:
    """`value`, unchanged. Raises ValueError if it is too long, or holds a control character other than newline and
    tab."""
    if len(value) > TEXT_LENGTH:
        raise ValueError(f"a text has at most {TEXT_LENGTH} characters")
    found = _controls_in_text.search(value)
    if found:
        raise ValueError(f"control character U+{ord(found.group()):04X}; only newline and tab are allowed")
    return value


def is_blank(text: str) -> bool:
    """Whether a text shows nothing at all: it is empty, or holds only white space and characters that are invisible."""
    if text.isascii():
        return not text.strip()
    return _shown.search(text) is None


Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
"""A user's, room's or topic's address."""

TopicPattern = Annotated[str, StringConstraints(pattern=KEY_PATTERN[:-1] + r"(\.\*)?$")]
"""What can be followed: a topic, or all topics below one (`orders.*`)."""

Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_title)]
"""A notification's heading: one line of 1 to 200 code points, without control and direction-changing characters."""

Text = Annotated[str, Field(max_length=TEXT_LENGTH), AfterValidator(clean_text)]
"""What people write: up to 4,000 code points, no control characters but newline and tab, kept as written."""

CommandId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_WITHOUT_NUL)]
"""A client's own name for a command. The answer carries it."""

Epoch = Annotated[str, StringConstraints(max_length=64, pattern=_WITHOUT_NUL)]
"""The name of an epoch: within one, a room's numbers only rise. Clients send back what they were given."""

IdempotencyKey = Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[!-~]+$")]
"""At least 64 random bits in visible ASCII, chosen by the sender. A repeat with the same key is the same message. Keys
that begin with the time keep the database's index compact."""

Seq = Annotated[int, Field(ge=1, le=2**53 - 1)]
"""A message's number in its room. Browsers count without error up to 2**53."""

Search = Annotated[str, StringConstraints(max_length=64, pattern=_WITHOUT_NUL)]
"""What somebody looks for in keys and names."""

Cursor = Annotated[str, StringConstraints(max_length=200, pattern=_WITHOUT_NUL)]
"""Where a page of a list begins. Clients send back what they were given."""
