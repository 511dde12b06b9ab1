"""Messages: sending and changing them, the log that keeps them, and catching up with it."""
