"""Settings that administrators change while the server runs."""
