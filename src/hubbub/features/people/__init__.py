"""Who people are, and whose a key is."""
