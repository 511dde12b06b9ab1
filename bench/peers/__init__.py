"""The servers with which Hubbub is compared. None of them knows the bench."""
