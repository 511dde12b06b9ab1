"""Who is in which channel, on all nodes. Presence knows channels, users and nodes: no rooms, no sockets and no SQL."""
