"""What everybody may do under the default policy."""

import pytest

from hubbub.accounts.policies import Action, allow_everybody
from hubbub.wire.identity import User


@pytest.mark.parametrize("action", Action)
def test_everybody_may_do_everything_except_delete_others_messages(action: Action) -> None:
    allowed = allow_everybody(User("alice", "Alice"), action, "lobby")

    assert allowed is (action is not Action.MODERATE)
