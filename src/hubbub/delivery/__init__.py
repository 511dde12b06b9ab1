"""The connections of this process. Knows channels, connections and bytes: no rooms, no SQL and no HTTP."""
