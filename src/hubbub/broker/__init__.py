"""Bytes between processes. A broker knows channels and publications: no rooms, no sockets and no SQL."""
