"""Making rooms, and who is what in them."""
