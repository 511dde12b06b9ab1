"""API keys, with which programs send from outside."""
