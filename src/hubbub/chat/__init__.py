"""Rooms and what people do in them. Publishes to a broker; knows no sockets' bytes and no HTTP."""
