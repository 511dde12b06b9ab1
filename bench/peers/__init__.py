"""The servers that Hubbub is measured beside. None of them knows the bench."""
