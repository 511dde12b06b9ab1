"""How long connections may stay: what expires, and what is revoked while people are here."""
