"""The features that every hub has. Only this module knows all of them."""

from __future__ import annotations

from hubbub.dispatch.hooks import Hooks
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.features.api_keys.feature import ApiKeysFeature
from hubbub.features.audit.feature import AuditFeature
from hubbub.features.bans.feature import BansFeature
from hubbub.features.feature import Feature
from hubbub.features.hooks.feature import HooksFeature
from hubbub.features.liveness.feature import LivenessFeature
from hubbub.features.mail.feature import MailFeature
from hubbub.features.members.feature import MembersFeature
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.openid.feature import OpenIdFeature
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.reports.feature import ReportsFeature
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.server_settings.feature import ServerSettingsFeature
from hubbub.features.topics.feature import TopicsFeature
from hubbub.features.typing.feature import TypingFeature


def built_in(hooks: Hooks, accounts: AccountsFeature | None = None) -> list[Feature]:
    """In the order in which they open. `accounts` is None if people have no accounts here."""
    people = PeopleFeature()
    rooms = RoomsFeature()
    typing = TypingFeature(rooms)
    messages = MessagesFeature(people, rooms, hooks, sent=typing.sent)
    access = AccessFeature()
    members = MembersFeature(people, rooms, messages, access)
    administration = [ApiKeysFeature(), ServerSettingsFeature(), BansFeature(), AuditFeature()]
    reports = ReportsFeature(rooms, messages)
    rest = [access, members, reports, TopicsFeature(), LivenessFeature(), HooksFeature(hooks), *administration]
    of_accounts = [accounts, OpenIdFeature(accounts), MailFeature(accounts)] if accounts is not None else []
    return [people, rooms, typing, messages, *rest, *of_accounts]
