"""What those may do whom nobody has restricted."""

import pytest

from hubbub.accounts.policies import Action, allow_everybody
from hubbub.wire.identity import User


@pytest.mark.parametrize("action", Action)
def test_everybody_may_do_everything_but_to_what_others_wrote(action: Action) -> None:
    allowed = allow_everybody(User("alice", "Alice"), action, "lobby")

    assert allowed is (action is not Action.MODERATE)
