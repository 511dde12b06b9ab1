"""Log-in at somebody else's provider, by OpenID Connect."""
