"""Whether the other side is there."""
