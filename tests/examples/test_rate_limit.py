"""Rate limit: the eleventh message of a minute is refused with the time to wait; nobody else notices."""

from examples.rate_limit import app
from tests.examples.conftest import Start


async def test_the_eleventh_message_of_a_minute_gets_an_error_that_says_when_to_retry(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws/chat") as alice, server.connect("/ws/chat") as bob:
        await bob.expect("joined")
        for number in range(10):
            await alice.send({"text": f"message {number}", "id": str(number)})
            await alice.expect("ack", id=str(number))
        await alice.send({"text": "one too many", "id": "10"})
        error = await alice.expect("error", id="10", code="rate_limited")
        assert 5_000 < error["retry_after"] <= 6_000
        assert error["message"] == "at most 10 in 60 s; come back in 6 s"

        await bob.send({"text": "I may"})
        await bob.expect("message", text="I may")

    assert not [event for event in bob.seen if event.get("text") == "one too many"]
