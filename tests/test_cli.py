"""The commands that print and exit; `hubbub serve` is tested in tests/serving/test_server.py."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hubbub.cli import app
from hubbub.settings import Settings
from tests.servers import REPOSITORY

runner = CliRunner()


def test_the_schema_is_the_one_that_clients_read() -> None:
    result = runner.invoke(app, ["schema"])

    assert json.loads(result.output) == json.loads((REPOSITORY / "conformance/schema.json").read_text())


def test_the_version_is_the_packages() -> None:
    assert runner.invoke(app, ["version"]).output.strip() == version("hubbub")


def test_all_settings_are_shown_with_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_RATE", "7.5")

    rows = {row["name"]: row for row in json.loads(runner.invoke(app, ["settings", "--json"]).output)}

    assert rows.keys() == Settings.model_fields.keys()
    assert rows["rate"] == {
        "name": "rate",
        "environment": "HUBBUB_RATE",
        "value": 7.5,
        "meaning": Settings.model_fields["rate"].description,
    }


@pytest.mark.parametrize("form", [["settings"], ["settings", "--json"]])
def test_secrets_are_not_shown(form: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_SECRET", "canary" * 6)
    monkeypatch.setenv("HUBBUB_DATABASE_URL", "postgresql://hubbub:canary@localhost/hubbub")

    result = runner.invoke(app, form)

    assert result.exit_code == 0
    assert "canary" not in result.output


def test_a_wrong_setting_ends_with_status_2_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_RATE", "fast")

    for command in (["settings"], ["serve"]):
        result = runner.invoke(app, command)
        assert result.exit_code == 2
        assert result.stderr.startswith("hubbub: rate: ")
        assert len(result.stderr.splitlines()) == 1


def test_without_a_command_the_help_is_shown() -> None:
    assert "serve" in runner.invoke(app, []).output


def test_a_file_that_is_not_a_database_causes_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "hubbub.db").write_text("a shopping list " * 100)
    place = ["--data-dir", str(tmp_path)]

    checked = runner.invoke(app, ["db", "check", *place])
    backed_up = runner.invoke(app, ["db", "backup", str(tmp_path / "backup.db"), *place])
    upgraded = runner.invoke(app, ["db", "upgrade", *place])

    assert (checked.exit_code, backed_up.exit_code, upgraded.exit_code) == (1, 2, 2)
    for result in (checked, backed_up, upgraded):
        assert len(result.output.splitlines()) == 1
        assert "file is not a database" in result.output
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hubbub.db", "lock"]
