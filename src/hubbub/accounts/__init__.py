"""Who people are, and what they may do. Knows no sockets, no rooms' contents and no HTTP."""
