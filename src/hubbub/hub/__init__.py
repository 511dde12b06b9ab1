"""The sockets of this process. The hub knows channels, connections and bytes: no rooms, no SQL and no HTTP."""
