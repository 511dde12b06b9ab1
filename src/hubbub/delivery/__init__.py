"""The connections of this process. This package knows channels, connections and bytes, and no rooms, no SQL and no
HTTP."""
