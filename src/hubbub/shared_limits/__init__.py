"""How much an address, a user or a program may have, on all nodes together."""
