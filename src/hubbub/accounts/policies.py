"""Who may do what: one table of roles and actions, and nothing else decides.

The table is asked for each command and each request, so a change of roles takes effect at the next frame. An
application's own policy is asked too. What it refuses is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from hubbub.accounts.roles import RoomKind, RoomRole, Standing, role_in_public
from hubbub.errors import Forbidden
from hubbub.wire.identity import Role, User


class Action(StrEnum):
    """What a policy is asked about. The last argument is the room's key, the topic, or empty."""

    JOIN = "join"
    SEND = "send"
    EDIT = "edit"
    DELETE = "delete"
    MODERATE = "moderate"
    """Delete what others wrote."""
    REACT = "react"
    PIN = "pin"
    READ = "read"
    TYPE = "type"
    FOLLOW = "follow"
    PUBLISH = "publish"
    SEE_MEMBERS = "see_members"
    INVITE = "invite"
    REMOVE = "remove"
    LEAVE_ROOM = "leave_room"
    SET_ROLE = "set_role"
    CHANGE_ROOM = "change_room"
    """Title, description, slow mode."""
    ARCHIVE = "archive"
    MUTE = "mute"
    KICK = "kick"
    BAN = "ban"
    CREATE = "create"
    DIRECT = "direct"
    REPORT = "report"
    SEE_REPORTS = "see_reports"
    """Those of a room, and to close them."""
    INVITE_PEOPLE = "invite_people"
    """To sign up. `invite` is about a room."""
    MANAGE_INVITATIONS = "manage_invitations"
    """Everybody's, and those of administrators."""
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_KEYS = "manage_keys"
    MANAGE_SETTINGS = "manage_settings"
    MANAGE_BANS = "manage_bans"
    """From the server. `ban` is about a room."""
    MANAGE_REPORTS = "manage_reports"
    """Those of all public rooms."""
    READ_AUDIT = "read_audit"

    # That of `Enum` is a Python function, and this one is called for each command.
    __hash__ = str.__hash__


Roles = frozenset[RoomRole]

_OWNER: Roles = frozenset({RoomRole.OWNER})
_MODERATORS: Roles = _OWNER | {RoomRole.MODERATOR}
_MEMBERS: Roles = _MODERATORS | {RoomRole.MEMBER}
_ALL: Roles = _MEMBERS | {RoomRole.GUEST}
_NONE: Roles = frozenset()

IN_ROOMS: Mapping[Action, tuple[Roles, Roles, Roles, Roles]] = {
    # action             public       private      direct       of the application
    Action.JOIN: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.READ: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.SEND: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.EDIT: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.DELETE: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.REACT: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.PIN: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.TYPE: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.SEE_MEMBERS: (_ALL, _MEMBERS, _MEMBERS, _ALL),
    Action.REPORT: (_ALL, _MEMBERS, _NONE, _ALL),
    Action.LEAVE_ROOM: (_MEMBERS, _MEMBERS, _NONE, _NONE),
    Action.MODERATE: (_MODERATORS, _MODERATORS, _NONE, _MODERATORS),
    Action.SEE_REPORTS: (_MODERATORS, _MODERATORS, _NONE, _MODERATORS),
    Action.MUTE: (_MODERATORS, _MODERATORS, _NONE, _MODERATORS),
    Action.KICK: (_MODERATORS, _MODERATORS, _NONE, _MODERATORS),
    Action.BAN: (_MODERATORS, _MODERATORS, _NONE, _MODERATORS),
    Action.INVITE: (_NONE, _MODERATORS, _NONE, _NONE),
    Action.REMOVE: (_NONE, _MODERATORS, _NONE, _NONE),
    Action.CHANGE_ROOM: (_MODERATORS, _MODERATORS, _NONE, _MODERATORS),
    Action.SET_ROLE: (_OWNER, _OWNER, _NONE, _NONE),
    Action.ARCHIVE: (_OWNER, _OWNER, _NONE, _OWNER),
}
"""Which roles may do what in a room of each kind. Who is banned may do nothing."""

_ACCOUNTS = frozenset({Role.MEMBER, Role.ADMIN})
_ADMINISTRATORS = frozenset({Role.ADMIN})

ON_SERVER: Mapping[Action, frozenset[Role]] = {
    Action.CREATE: _ACCOUNTS,
    Action.DIRECT: _ACCOUNTS,
    Action.FOLLOW: frozenset(Role),
    Action.PUBLISH: frozenset(Role),
    Action.INVITE_PEOPLE: _ACCOUNTS,
    Action.MANAGE_INVITATIONS: _ADMINISTRATORS,
    Action.MANAGE_ACCOUNTS: _ADMINISTRATORS,
    Action.MANAGE_KEYS: _ADMINISTRATORS,
    Action.MANAGE_SETTINGS: _ADMINISTRATORS,
    Action.MANAGE_BANS: _ADMINISTRATORS,
    Action.MANAGE_REPORTS: _ADMINISTRATORS,
    Action.READ_AUDIT: _ADMINISTRATORS,
}
"""Which roles of the server may do what is not about a room."""

ROUTES: Mapping[str, Action | str] = {
    "GET /api/v1/rooms": Action.JOIN,
    "POST /api/v1/rooms": Action.CREATE,
    "POST /api/v1/direct": Action.DIRECT,
    "GET /api/v1/rooms/{room}/online": Action.JOIN,
    "GET /api/v1/rooms/{room}/members": Action.SEE_MEMBERS,
    "GET /api/v1/rooms/{room}/messages": Action.READ,
    "POST /api/v1/rooms/{room}/messages": Action.SEND,
    "POST /api/v1/rooms/{room}/change_room": Action.CHANGE_ROOM,
    "POST /api/v1/rooms/{room}/invite": Action.INVITE,
    "POST /api/v1/rooms/{room}/remove": Action.REMOVE,
    "POST /api/v1/rooms/{room}/leave_room": Action.LEAVE_ROOM,
    "POST /api/v1/rooms/{room}/set_role": Action.SET_ROLE,
    "POST /api/v1/rooms/{room}/kick": Action.KICK,
    "POST /api/v1/rooms/{room}/mute": Action.MUTE,
    "POST /api/v1/rooms/{room}/ban": Action.BAN,
    "POST /api/v1/rooms/{room}/messages/{seq}/reports": Action.REPORT,
    "GET /api/v1/reports": Action.SEE_REPORTS,
    "PATCH /api/v1/reports/{report}": Action.SEE_REPORTS,
    "POST /notify/{topic}": Action.PUBLISH,
    "POST /api/v1/tickets": "every account, for itself",
    "POST /api/v1/app/rooms/{room}/messages": "the scopes of an API key",
    "POST /api/v1/app/users/{user}/events": "the scopes of an API key",
    "POST /api/v1/app/topics/{topic}/notifications": "the scopes of an API key",
    "GET /api/v1/server": "everybody",
    "POST /api/v1/accounts": "who may sign up: the setting `sign_up`, or an invitation",
    "POST /api/v1/sessions": "everybody, with a password",
    "POST /api/v1/resets": "who has the link",
    "POST /api/v1/resets/mail": "everybody",
    "POST /api/v1/me/email/confirmation": "oneself, with the password",
    "POST /api/v1/confirmations": "who has the link",
    "POST /api/v1/oidc": "everybody",
    "GET /api/v1/oidc/callback": "whom the log-in provider sends back",
    "GET /api/v1/sessions": "oneself",
    "DELETE /api/v1/sessions/current": "oneself",
    "DELETE /api/v1/sessions/{id}": "oneself",
    "GET /api/v1/me": "oneself",
    "PATCH /api/v1/me": "oneself",
    "PUT /api/v1/me/password": "oneself",
    "POST /api/v1/invitations": Action.INVITE_PEOPLE,
    "GET /api/v1/invitations": Action.INVITE_PEOPLE,
    "DELETE /api/v1/invitations/{id}": Action.INVITE_PEOPLE,
    "GET /api/v1/accounts": Action.MANAGE_ACCOUNTS,
    "PATCH /api/v1/accounts/{key}": Action.MANAGE_ACCOUNTS,
    "POST /api/v1/accounts/{key}/reset-link": Action.MANAGE_ACCOUNTS,
    "GET /api/v1/accounts/{owner}/sessions": Action.MANAGE_ACCOUNTS,
    "DELETE /api/v1/accounts/{owner}/sessions": Action.MANAGE_ACCOUNTS,
    "DELETE /api/v1/accounts/{owner}/sessions/{session}": Action.MANAGE_ACCOUNTS,
    "GET /api/v1/audit": Action.READ_AUDIT,
    "GET /api/v1/bans": Action.MANAGE_BANS,
    "PUT /api/v1/bans/{banned}": Action.MANAGE_BANS,
    "DELETE /api/v1/bans/{banned}": Action.MANAGE_BANS,
    "GET /api/v1/settings": Action.MANAGE_SETTINGS,
    "PATCH /api/v1/settings": Action.MANAGE_SETTINGS,
    "GET /api/v1/tokens": Action.MANAGE_KEYS,
    "POST /api/v1/tokens": Action.MANAGE_KEYS,
    "DELETE /api/v1/tokens/{api_key}": Action.MANAGE_KEYS,
    "GET /health/live": "everybody",
    "GET /health/ready": "everybody",
    "GET /schema.json": "everybody",
}
"""What is asked before each route, or who may use it. The addresses of WebSockets lead to commands."""

NOT_WHILE_MUTED = frozenset({Action.SEND, Action.EDIT, Action.REACT, Action.PIN, Action.TYPE})
NOT_IN_ARCHIVED = NOT_WHILE_MUTED | {Action.DELETE, Action.INVITE}

_KINDS = (RoomKind.PUBLIC, RoomKind.PRIVATE, RoomKind.DIRECT, RoomKind.APPLICATION)
_OF_ROLE: Mapping[RoomKind, Mapping[RoomRole, frozenset[Action]]] = {
    kind: {role: frozenset(action for action, roles in IN_ROOMS.items() if role in roles[place]) for role in RoomRole}
    for place, kind in enumerate(_KINDS)
}


_OPEN: Mapping[Role, frozenset[Action]] = {
    role: _OF_ROLE[RoomKind.PUBLIC][role_in_public(User("", "", role is Role.GUEST, role=role))]
    | {action for action, roles in ON_SERVER.items() if role in roles}
    for role in Role
}
"""What may be done in public rooms without settings, and on the server."""


def may_in_room(
    kind: RoomKind,
    user: User,
    standing: Standing | None,
    action: Action,
    *,
    archived: bool,
    now: int,
    given: RoomRole | None = None,
) -> bool:
    """Whether a user may do this in a room with settings. `now` is in milliseconds since 1970. `given` is the role that
    the application gives, if it says who is in the room: then nothing else does."""
    role = RoomRole.NOBODY
    if given is None and kind is RoomKind.PUBLIC and user.role is Role.ADMIN:
        # Otherwise a room's moderators could keep administrators out of it, who could not even take that back.
        standing = None
    if standing is not None:
        if standing.banned > now:
            return False
        if standing.muted > now and action in NOT_WHILE_MUTED:
            return False
        role = standing.role
    if archived and action in NOT_IN_ARCHIVED:
        return False
    if given is not None:
        return action in _OF_ROLE[RoomKind.APPLICATION][given]
    if kind is RoomKind.PUBLIC:
        role = role_in_public(user, role)
    return action in _OF_ROLE[kind][role]


def may_as(given: RoomRole, action: Action) -> bool:
    """Whether this may be done in a room without settings, in the role that the application gives."""
    return action in _OF_ROLE[RoomKind.APPLICATION][given]


def may_in_public(user: User, action: Action) -> bool:
    """Whether a user may do this in a public room without settings, or on the server."""
    return action in _OPEN[user.role]


Policy = Callable[[User, Action, str], bool]
"""Whether this user may do this action in this place. It is called in the event loop for each command, so it must not
wait."""


Membership = Callable[[User, str], Awaitable[RoomRole | str | None]]
"""An application's own answer: what a user is in a room (`owner`, `moderator`, `member`, `guest`), or None if the user
may know nothing of it. The room's key is in lower case. It is never asked on a message's way, so it may wait."""


def allow_everybody(user: User, action: Action, where: str) -> bool:
    """Everybody who is admitted may do everything everywhere, except to delete the messages of others."""
    return action is not Action.MODERATE


SCOPE_OF: dict[Action, str] = {
    Action.JOIN: "rooms:read",
    Action.READ: "rooms:read",
    Action.SEND: "rooms:send",
    Action.EDIT: "rooms:send",
    Action.DELETE: "rooms:send",
    Action.REACT: "rooms:send",
    Action.PIN: "rooms:send",
    Action.TYPE: "rooms:send",
    Action.FOLLOW: "topics:follow",
    Action.PUBLISH: "topics:publish",
}
"""The scope that a credential with scopes needs for an action. An action without one is not for such credentials."""

_WORDS = {
    Action.JOIN: "join room",
    Action.READ: "read room",
    Action.FOLLOW: "follow topic",
    Action.PUBLISH: "publish to topic",
    Action.SEE_MEMBERS: "see the members of room",
    Action.LEAVE_ROOM: "leave room",
    Action.CHANGE_ROOM: "change room",
    Action.ARCHIVE: "archive room",
}
_ABOUT_TOPICS = {Action.FOLLOW, Action.PUBLISH}


def permit(policy: Policy, user: User, action: Action, where: str) -> None:
    """Ask the policy. Raises `Forbidden` if it says no, or if the user's credential does not allow this."""
    if user.scopes is not None and (scope := SCOPE_OF.get(action)) not in user.scopes:
        raise Forbidden(f"this credential has not the scope {scope}" if scope else "no scope allows this")
    if not policy(user, action, where):
        raise refusal(action, where)


def refusal(action: Action, where: str) -> Forbidden:
    """What somebody is told who may not do this. It is the same whether the room exists or not."""
    if not where:
        return Forbidden(f"you may not {action.value.replace('_', ' ')} on this server")
    words = _WORDS.get(action) or f"{action.value.replace('_', ' ')} in room"
    return Forbidden(f"you may not {words} {where!r}", room=None if action in _ABOUT_TOPICS else where)
