"""Keys are addresses, names are for people, texts are kept as written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hubbub.wire.keys import Key, appearance, clean_name, clean_text, clean_title, fold, is_key

KEYS = ["a", "0", "alice", "Alice", "room1", "ERR-1234", "dm:x", "alice@example.com", "auth0|42", "a" * 64, "a.b_c-d"]
NO_KEYS = ["", "-a", ".a", " a", "a b", "a\n", "\na", "a/b", "Zoë", "аlice", "a" * 65, "a\x00", "a#b", "%41"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_valid_in_python_and_on_the_wire(key: str) -> None:
    assert is_key(key)
    assert TypeAdapter(Key).validate_python(key) == key


@pytest.mark.parametrize("key", NO_KEYS)
def test_an_invalid_key_is_refused_in_python_and_on_the_wire(key: str) -> None:
    assert not is_key(key)
    with pytest.raises(ValidationError):
        TypeAdapter(Key).validate_python(key)


def test_keys_are_equal_without_regard_to_case() -> None:
    assert fold("Alice@Example.com") == fold("alice@EXAMPLE.COM")


@pytest.mark.parametrize("name", ["Alice", "Zoë", "अदिति", "李雷", "محمد", "O'Brien", "👩‍🚀", "می‌خواهم", "x" * 64])
def test_a_name_may_be_in_any_script(name: str) -> None:
    assert clean_name(name) == unicodedata.normalize("NFC", name)


def test_a_name_has_one_spelling_and_no_space_around_it() -> None:
    assert clean_name("  Zoe\u0308 ") == "Zoë"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 65,
        "a\x00b",
        "a\nb",
        "a\tb",
        "\u202eecila",
        "a\u2066b\u2069",
        "a\u200fb",
        "a\u200bb",
        "a\ufeffb",
        "a\u2028b",
        "a\ud800b",
        "\ufe0f",
        "\u034f \U000e0100",
        "\u2065\u17b4",
    ],
    ids=ascii,
)
def test_a_name_that_could_pass_for_another_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name"):
        clean_name(name)


@given(st.text(max_size=80))
def test_a_clean_name_stays_the_same_when_cleaned_again(name: str) -> None:
    try:
        cleaned = clean_name(name)
    except ValueError:
        return
    assert clean_name(cleaned) == cleaned
    assert 1 <= len(cleaned) <= 64


@pytest.mark.parametrize(
    "nothing",
    [
        "\ufe0f",
        "\u034f",
        "\U000e0100",
        "\u17b4",
        "\u17b5",
        "\u180b",
        "\u180f",
        "\u2065",
        "\u00ad",
        "\ufff0",
        "\U000e0fff",
    ],
    ids=ascii,
)
def test_invisible_characters_make_no_other_name(nothing: str) -> None:
    assert appearance(f"al{nothing}ice{nothing}") == appearance("Alice")
    assert appearance(f"e{nothing}\u0301") == appearance("é")


@pytest.mark.parametrize("name", ["❤️ Zoë", "👩‍🚀", "1️⃣"], ids=ascii)
def test_an_emoji_in_a_name_keeps_its_variation_selector(name: str) -> None:
    assert clean_name(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("title", ["Deployed ❤️", "👩‍🚀 is up", "سلام", "می‌خواهم", "a" * 200], ids=ascii)
def test_a_title_may_be_in_any_script_and_contain_emoji(title: str) -> None:
    assert clean_title(title) == title


@pytest.mark.parametrize("character", "\x00\x1b\n\t\x85\u2028\u061c\u200f\u202e\u2066\u2069\ud800", ids=ascii)
def test_a_title_with_a_control_or_direction_changing_character_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match="control or direction"):
        clean_title(f"Deployed{character}v2")


@pytest.mark.parametrize(
    "text", ["", "  two  spaces  ", "tab\tnewline\n", "\u202eright to left", "😀" * 4000, "<b>&amp;"]
)
def test_a_text_is_kept_as_written(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x08", "\x0b", "\r", "\x1b", "\x1f", "\x7f", "\x85", "\x9f"], ids=ascii
)
def test_the_error_for_a_control_character_names_it(character: str) -> None:
    with pytest.raises(ValueError, match=rf"U\+{ord(character):04X}"):
        clean_text(f"a{character}b")


def test_a_text_over_four_thousand_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="4000"):
        clean_text("x" * 4001)
