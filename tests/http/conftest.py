from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hubbub import Settings
from hubbub.accounts import passwords
from hubbub.serving.app import create_app
from hubbub.testing import serving
from tests.http.browsers import Browsers


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes 30 ms of a processor, and these tests make a hundred."""
    monkeypatch.setattr(passwords, "MEMORY", 64)


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    given: dict[str, Any] = {"sign_up": "open", "guests": "on", "log_in_attempts": 100, "sign_ups": 100}
    return Settings(data_dir=tmp_path / "data", **(given | getattr(request, "param", {})))


@pytest.fixture
async def browsers(settings: Settings, cheap_passwords: None) -> AsyncIterator[Browsers]:
    app = create_app(settings)
    async with serving(app) as server:
        browsers = Browsers(app, server)
        yield browsers
        for one in browsers.opened:
            await one.aclose()
