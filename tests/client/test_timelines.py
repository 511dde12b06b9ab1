"""The golden timelines in conformance/, which the tests of every client read: what a room's events come to.

Each is about `room1`, which the client has joined before the first event; a `welcome` begins a new connection. `joins`
are the positions that the client asks for, `position` and `messages` what it has in the end. Of a message there is
what it says and its marks, where it has any.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hubbub.client.session import Session, State
from hubbub.client.view import RoomView
from hubbub.wire.codecs import PROTOCOL_VERSION
from hubbub.wire.connection import Welcome
from hubbub.wire.events import EventTable
from hubbub.wire.messages import MessageEvent
from hubbub.wire.rooms import Join
from tests.servers import REPOSITORY

FOLDER = REPOSITORY / "conformance" / f"v{PROTOCOL_VERSION}" / "timelines"
MODELS = {model.type_name(): model for model in EventTable()}
SHOWN = {"seq", "rev", "text", "edited", "deleted", "pinned", "reactions"}


def golden() -> list[Any]:
    return [pytest.param(json.loads(file.read_text()), id=file.stem) for file in sorted(FOLDER.glob("*.json"))]


class Follower:
    """A client of `room1` that gets the events of a timeline."""

    def __init__(self) -> None:
        self.session = Session(clock=lambda: 0.0, random=lambda: 0.0)
        self.session.join("room1")
        self.joins: list[dict[str, Any]] = []

    def follow(self, timeline: dict[str, Any]) -> None:
        for frame in timeline["events"]:
            model = MODELS.get(frame["type"])
            if model is None:
                continue
            if model is Welcome:
                self._connect_anew()
            self.session.receive(model.model_validate(frame, extra="ignore"))
            self.joins += self._asked()

    @property
    def view(self) -> RoomView:
        view = self.session.view("room1")
        assert view is not None
        return view

    def _connect_anew(self) -> None:
        if self.session.state is State.LIVE:
            self.session.lost()
        self.session.open()

    def _asked(self) -> Iterator[dict[str, Any]]:
        while (command := self.session.next_command()) is not None:
            assert isinstance(command, Join)
            for position in command.positions:
                yield position.model_dump(exclude_none=True)


@pytest.mark.parametrize("timeline", golden())
def test_a_timeline_leads_to_its_messages_and_position(timeline: dict[str, Any]) -> None:
    alice = Follower()

    alice.follow(timeline)

    view = alice.view
    assert alice.joins == timeline["joins"]
    assert {"rev": view.rev, "epoch": view.epoch} == {"rev": None, **timeline["position"]}
    shown = [message.model_dump(include=SHOWN, exclude_none=True) for message in view.messages]
    assert shown == timeline["messages"]


@pytest.mark.parametrize("timeline", golden())
def test_no_message_is_handed_out_twice(timeline: dict[str, Any]) -> None:
    alice = Follower()

    alice.follow(timeline)

    handed_out = [event.seq for event in alice.session.output.events if isinstance(event, MessageEvent) and event.seq]
    assert len(handed_out) == len(set(handed_out))
