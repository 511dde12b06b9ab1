"""What we give away and get back: nobody can make or change it, and it is good for one purpose and a while."""

import time

import pytest

from hubbub.accounts.seals import seal, unseal
from hubbub.accounts.signing_key import SigningKeys

SIGNING = SigningKeys(b"a key")


def test_what_was_sealed_comes_back_for_its_purpose_only() -> None:
    sealed = seal(SIGNING, "openid", {"name": "Äda", "empty": ""}, lifetime=60)

    assert unseal(SIGNING, "openid", sealed) == {"name": "Äda", "empty": ""}
    assert unseal(SIGNING, "email", sealed) is None
    assert unseal(SigningKeys(b"another key"), "openid", sealed) is None


def test_what_was_changed_is_worth_nothing() -> None:
    sealed = seal(SIGNING, "openid", {"a": "b"}, lifetime=60)

    for wrong in ("A" + sealed, sealed + "A", sealed[:-2], "", "ä.", "."):
        assert unseal(SIGNING, "openid", wrong) is None


def test_it_is_good_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = seal(SIGNING, "openid", {"a": "b"}, lifetime=600)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 599)
    assert unseal(SIGNING, "openid", sealed) == {"a": "b"}

    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert unseal(SIGNING, "openid", sealed) is None
