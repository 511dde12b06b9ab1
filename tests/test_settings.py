"""Where a setting comes from, and the errors for wrong ones."""

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from hubbub.app.arguments import check_features
from hubbub.app.settings_sources import load_settings, load_settings_of
from hubbub.errors import ConfigurationError
from hubbub.features.feature import Feature
from hubbub.settings import Settings


class PollSettings(BaseModel):
    per_room: int = Field(20, ge=1)
    closing_words: list[str] = []


class Polls(Feature):
    name = "polls"
    settings_model = PollSettings
    settings: PollSettings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the settings of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUBBUB_CONFIG", raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HUBBUB_{name.upper()}", raising=False)


def test_the_option_wins_over_the_environment_over_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().port is None
    (tmp_path / "hubbub.toml").write_text("port = 1\nrate = 7.5\n")
    assert load_settings().port == 1
    monkeypatch.setenv("HUBBUB_PORT", "2")
    assert load_settings().port == 2

    settings = load_settings(port=3)

    assert (settings.port, settings.rate) == (3, 7.5)


def test_a_missing_option_does_not_hide_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_PORT", "2")

    assert load_settings(port=None).port == 2


def test_a_variable_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.toml"
    other.write_text('room_default = "hall"\n')
    monkeypatch.setenv("HUBBUB_CONFIG", str(other))

    assert load_settings().room_default == "hall"


def test_a_named_file_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_CONFIG", "/nowhere/hubbub.toml")

    with pytest.raises(ConfigurationError, match=r"/nowhere/hubbub\.toml, which is not a file"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("RATE", "0"),
        ("GUESTS", "maybe"),
        ("BURST", "many"),
        ("SECRET", "short"),
        ("LINGER", "-1"),
        ("DATA_DIR", ""),
    ],
)
def test_the_error_for_a_wrong_setting_names_it(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HUBBUB_{name}", value)

    with pytest.raises(ConfigurationError, match=f"^{name.lower()}: "):
        load_settings()


def test_the_error_for_an_unknown_setting_names_it(tmp_path: Path) -> None:
    (tmp_path / "hubbub.toml").write_text("prot = 8000\n")

    with pytest.raises(ConfigurationError, match="prot: there is no such setting"):
        load_settings()


def test_a_file_that_is_not_toml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hubbub.toml").write_text("port 8000")

    with pytest.raises(ConfigurationError, match=r"hubbub\.toml is not TOML"):
        load_settings()


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_SECRET", "canary")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert "canary" not in str(caught.value)


def test_a_printed_setting_shows_no_secret() -> None:
    settings = load_settings(secret="canary" * 6)

    assert "canary" not in repr(settings)
    assert "canary" not in str(settings.model_dump_json())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_description(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize(
    ("name", "hint"),
    [("HUBBUB_DATADIR", "is HUBBUB_DATA_DIR meant?"), ("HUBBUB_NONSENSE", "HUBBUB_NONSENSE is no setting")],
)
def test_a_warning_for_an_unknown_variable_names_a_similar_setting(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, "1")

    load_settings()

    assert caplog.messages[0].endswith(hint)


def settings_of_polls() -> PollSettings:
    polls = Polls()
    load_settings_of(polls)
    return polls.settings


def test_a_features_setting_comes_from_the_environment_then_its_table_then_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_of_polls().per_room == 20
    (tmp_path / "hubbub.toml").write_text('port = 1\n[polls]\nper_room = 7\nclosing_words = ["bye"]\n')
    assert settings_of_polls().per_room == 7
    monkeypatch.setenv("HUBBUB_POLLS_PER_ROOM", "8")
    monkeypatch.setenv("PER_ROOM", "9")

    assert settings_of_polls() == PollSettings(per_room=8, closing_words=["bye"])
    assert load_settings([Polls()]).port == 1


@pytest.mark.parametrize(
    ("file", "variable", "told"),
    [
        ("", ("HUBBUB_POLLS_PER_ROOM", "0"), r"^polls\.per_room: "),
        ("", ("HUBBUB_POLLS_CLOSING_WORDS", "bye"), "^HUBBUB_POLLS_CLOSING_WORDS must be JSON"),
        ("[polls]\nper_romo = 1", None, r"^polls\.per_romo: the feature has no such setting"),
        ("polls = 7", None, r"^polls: this must be a table: \[polls\]"),
    ],
)
def test_a_wrong_setting_of_a_feature_is_named(
    file: str, variable: tuple[str, str] | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hubbub.toml").write_text(file)
    if variable is not None:
        monkeypatch.setenv(*variable)

    with pytest.raises(ConfigurationError, match=told):
        settings_of_polls()


def test_a_table_of_no_feature_is_an_error_where_the_features_are_known(tmp_path: Path) -> None:
    (tmp_path / "hubbub.toml").write_text("[poll]\nper_room = 7\n")

    with pytest.raises(ConfigurationError, match="poll: there is no such setting"):
        load_settings([Polls()])
    load_settings(None)


def test_a_features_variable_with_a_slip_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HUBBUB_POLLS_PER_ROOM", "1")
    monkeypatch.setenv("HUBBUB_POLLS_PER_ROMO", "1")

    load_settings([Polls()])

    assert caplog.messages == ["HUBBUB_POLLS_PER_ROMO is no setting; is HUBBUB_POLLS_PER_ROOM meant?"]


class RoomSettings(BaseModel):
    default: str = "hall"


class Room(Feature):
    name = "room"
    settings_model = RoomSettings


class Shouting(Polls):
    name = "Polls!"


class Demands(BaseModel):
    needed: int


class Demanding(Feature):
    name = "polls"
    settings_model = Demands


@pytest.mark.parametrize(
    ("feature", "told"),
    [
        (Room(), "'room_default'"),
        (Shouting(), "'Polls!'"),
        (Demanding(), "'needed' of 'polls' needs a default"),
    ],
)
def test_settings_of_a_feature_that_cannot_work_are_told_when_the_hub_is_made(feature: Feature, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        check_features([feature])
