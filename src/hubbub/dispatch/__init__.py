"""From a frame to an answer: decode, limit, call the handler, answer. Knows no rooms, no SQL and no HTTP."""
