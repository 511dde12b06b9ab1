"""What a reaction may be: one emoji, as people see it.

An approximation of the grammar of UTS 51 (section 1.4.9), which needs no table of all emoji: pictographs joined by
ZWJ, a flag, or a keycap, each with its modifiers.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

EMOJI_BYTES = 64
"""Bytes in UTF-8. The longest emoji of Unicode 16 (a kiss with two skin tones, flags of regions) have 35 or fewer."""

_JOINER = "\u200d"
_SELECTOR = "\ufe0f"
_KEYCAP = "\u20e3"
_KEYCAP_BASES = frozenset("0123456789#*")
_PICTOGRAPHS = frozenset({"So", "Sm", "Po", "Pd"})


def clean_emoji(value: str) -> str:
    """`value`, unchanged. Raises ValueError if it is not one emoji."""
    if len(value.encode(errors="replace")) > EMOJI_BYTES or not _is_one_emoji(value):
        raise ValueError("a reaction is one emoji")
    return value


def _is_one_emoji(value: str) -> bool:
    if value and value[0] in _KEYCAP_BASES:
        return value[1:] in {_KEYCAP, _SELECTOR + _KEYCAP}
    if value and _is_regional(value[0]):
        return len(value) == 2 and _is_regional(value[1])
    return all(_is_pictograph(part) for part in value.split(_JOINER))


def _is_pictograph(part: str) -> bool:
    """A pictograph with its modifiers: a skin tone, the selector of the coloured form, the tags of a region's flag."""
    if not part or unicodedata.category(part[0]) not in _PICTOGRAPHS or ord(part[0]) < 0xA9:
        return False
    return all(
        character == _SELECTOR or 0x1F3FB <= ord(character) <= 0x1F3FF or 0xE0020 <= ord(character) <= 0xE007F
        for character in part[1:]
    )


def _is_regional(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


Emoji = Annotated[str, Field(min_length=1, max_length=EMOJI_BYTES), AfterValidator(clean_emoji)]
"""One emoji."""
