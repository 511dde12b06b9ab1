"""A reaction is one emoji: with its modifiers, and nothing else."""

import pytest

from hubbub.wire.emoji import clean_emoji

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
KISS = "👩🏻\u200d❤\ufe0f\u200d💋\u200d👨🏿"
RAINBOW_FLAG = "🏳\ufe0f\u200d🌈"
FLAG_OF_ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
ONE = ["👍", "👍🏿", "❤", "❤️", "🇩🇪", "1️⃣", "‼️", "↔️", "©️"]
NOT_ONE = ["", " ", "a", "1", "!", "<", "+", "👍👍", "👍a", "👍\n", "🇩", "🇩🇪🇩🇪", "\u200d", "👍\u200d", "\u202e"]
ENDLESS = "\u200d".join("👨" * 20)


@pytest.mark.parametrize("emoji", [*ONE, FAMILY, KISS, RAINBOW_FLAG, FLAG_OF_ENGLAND])
def test_one_emoji_is_accepted_unchanged(emoji: str) -> None:
    assert clean_emoji(emoji) == emoji


@pytest.mark.parametrize("text", [*NOT_ONE, ENDLESS])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="one emoji"):
        clean_emoji(text)
