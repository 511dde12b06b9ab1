"""Origins and host names as text: which ones are the same, and which values of the settings can never match."""

import pytest

from hubbub.app.settings_sources import load_settings
from hubbub.errors import ConfigurationError
from hubbub.origins import parse_origin


@pytest.mark.parametrize(
    ("page", "server"),
    [
        ("http://127.0.0.1:8000", "ws://localhost:8000"),
        ("http://localhost:8000", "ws://127.0.0.1:8000"),
        ("http://[::1]:8000", "ws://localhost:8000"),
        ("http://127.8.9.10:8000", "ws://[::1]:8000"),
        ("https://localhost:8000", "ws://127.0.0.1:8000"),
        ("http://localhost", "wss://127.0.0.1"),
        ("https://Chat.Example.com", "ws://chat.example.com"),
    ],
)
def test_a_page_of_the_server_itself_is_recognised_under_each_of_its_names(page: str, server: str) -> None:
    origin, own = parse_origin(page), parse_origin(server)

    assert origin is not None
    assert own is not None
    assert origin.is_of(own)


@pytest.mark.parametrize(
    ("page", "server"),
    [
        ("http://127.0.0.1:3000", "ws://localhost:8000"),
        ("http://localhost:3000", "ws://localhost:8000"),
        ("http://localhost", "ws://localhost:8000"),
        ("http://evil.example:8000", "ws://localhost:8000"),
        ("http://localhost:8000", "ws://evil.example:8000"),
        ("http://localhost.evil.example:8000", "ws://localhost:8000"),
        ("http://app.localhost:8000", "ws://localhost:8000"),
        ("http://0.0.0.0:8000", "ws://localhost:8000"),
        ("http://192.168.1.2:8000", "ws://192.168.1.3:8000"),
    ],
)
def test_a_page_of_another_origin_is_not_the_servers_own(page: str, server: str) -> None:
    origin, own = parse_origin(page), parse_origin(server)

    assert origin is not None
    assert own is not None
    assert not origin.is_of(own)


@pytest.mark.parametrize(
    "text", ["null", "", "localhost:8000", "http://a.example/path", "http://a.example?x", "http://[::1"]
)
def test_an_invalid_origin_is_none(text: str) -> None:
    assert parse_origin(text) is None


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("value", "instead"),
    [
        ("*", "name each origin, such as https://app.example.com"),
        ("null", "serve the page by http or https"),
        ("app.example.com", "write https://app.example.com"),
        ("localhost:3000", "write http://localhost:3000"),
        ("//app.example.com", "write https://app.example.com"),
        ("ws://app.example.com", "write http://app.example.com"),
        ("wss://app.example.com:444", "write https://app.example.com:444"),
        ("https://app.example.com/chat", "write https://app.example.com"),
        ("https://app.example.com?x=1", "write https://app.example.com"),
        ("https://me:secret@app.example.com", "write https://app.example.com"),
        ("https://*.example.com", "name each origin"),
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("https://a.example, https://b.example", "can never match"),
        ("https://a.example:99999", "can never match"),
        ("file:///tmp", "begins with http:// or https://"),
        ("https://", "can never match"),
        ("", "can never match"),
    ],
)
def test_an_allowed_origin_that_can_never_match_is_refused_with_a_correction(value: str, instead: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(allowed_origins=["https://good.example", value])

    message = str(caught.value)
    assert message.startswith("allowed_origins.1: ")
    assert instead in message
    assert "Value error" not in message


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "value", ["https://app.example.com", "https://app.example.com/", "HTTP://App.Example.com:8080", "http://[::1]:3000"]
)
def test_an_allowed_origin_that_a_page_can_have_is_accepted(value: str) -> None:
    assert load_settings(allowed_origins=[value]).allowed_origins == [value]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("value", "instead"),
    [
        ("https://chat.example.com", "write its name alone"),
        ("chat.example.com:8000", "write chat.example.com"),
        ("*.example.com", ".example.com"),
        ("chat example", "no name of a host"),
        ("bücher.example", "xn--bcher-kva.example"),
        (".", "no name of a host"),
        ("", "no name of a host"),
    ],
)
def test_an_allowed_host_that_can_never_match_is_refused_with_a_correction(value: str, instead: str) -> None:
    with pytest.raises(ConfigurationError, match=r"allowed_hosts\.0: ") as caught:
        load_settings(allowed_hosts=[value])

    assert instead in str(caught.value)
