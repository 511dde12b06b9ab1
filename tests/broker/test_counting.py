"""A node asks the others how many connections they have, and does not wait long for those that are silent."""

import asyncio

from hubbub.broker import counting
from hubbub.broker.counting import Counting, answer
from hubbub.broker.envelope import SENDER_BYTES


async def count_with_a_silent_node(nodes: Counting) -> None:
    packed, question = nodes.ask()
    nodes.answered(answer(packed, 2))
    assert await nodes.sum(question, 2) == 2


async def which_ends_first(one: Counting, other: Counting) -> Counting:
    waiting = {asyncio.create_task(count_with_a_silent_node(nodes)): nodes for nodes in (other, one)}
    ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*waiting)
    return next(nodes for task, nodes in waiting.items() if task in ended)


async def test_after_a_node_was_silent_nobody_waits_as_long_for_it() -> None:
    first_time, second_time = Counting(bytes(SENDER_BYTES)), Counting(bytes(SENDER_BYTES))
    await count_with_a_silent_node(second_time)

    assert await which_ends_first(first_time, second_time) is second_time


async def test_that_a_node_was_silent_is_forgotten_after_a_while() -> None:
    nodes = Counting(bytes(SENDER_BYTES))
    await count_with_a_silent_node(nodes)
    known_until = nodes._silence_until
    await count_with_a_silent_node(nodes)
    assert nodes._silence_until == known_until

    nodes._silence_until -= counting.SILENCE_KNOWN
    await count_with_a_silent_node(nodes)
    assert nodes._silence_until > known_until
