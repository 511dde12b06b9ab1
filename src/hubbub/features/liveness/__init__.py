"""Whether the other side still answers."""
