"""The text that every system carries: about 70 bytes, countable, with its sender and time.

<~~hubbub~bench~~>0017 01763679420123456789 and words to fill the line
marker            sender stamp                  filler
"""

from __future__ import annotations

# Long, and with characters that are rare in the fields around it: `bytes.count` then skips most of the
# data instead of looking at it (45 ns per delivery on the machine where this was chosen, against
# 90 for a single character).
MARKER = b"<~~hubbub~bench~~>"

_FILLER = "and words to fill the line"
_STAMP = slice(5, 25)


def text(sender: int, stamp: int) -> str:
    """`stamp` is a counter or a time in ns; `stamps` finds it again."""
    return f"{MARKER.decode()}{sender:04d} {stamp:020d} {_FILLER}"


def mark(sender: int) -> bytes:
    """What only the messages of `sender` contain."""
    return MARKER + b"%04d " % sender


def stamps(data: bytes) -> list[int]:
    """The stamp of each delivery in `data`, which holds only complete deliveries."""
    return [int(after[_STAMP]) for after in data.split(MARKER)[1:]]
