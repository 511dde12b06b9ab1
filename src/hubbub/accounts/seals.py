"""Small texts that we give away and get back: signed, for one purpose, and good for a while.

Every node of a cluster can read them. They are not encrypted: who has one can read it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping

from hubbub.accounts.signing_key import SigningKeys


def seal(signing: SigningKeys, purpose: str, fields: Mapping[str, str], *, lifetime: float) -> str:
    """A text of characters that URLs and cookies may hold, good for `lifetime` seconds."""
    content = json.dumps({**fields, "until": str(int(time.time() + lifetime))}).encode()
    text = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return f"{text}.{signing.sign(f'{purpose}:{text}')}"


def unseal(signing: SigningKeys, purpose: str, sealed: str) -> dict[str, str] | None:
    """What was sealed; None if it was not sealed here for this purpose, or is not good any more."""
    text, _, signature = sealed.partition(".")
    if not signing.have_signed(f"{purpose}:{text}", signature):
        return None
    fields: dict[str, str] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return fields if int(fields.pop("until")) > time.time() else None
