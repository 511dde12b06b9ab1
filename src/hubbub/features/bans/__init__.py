"""Bans from the server."""
