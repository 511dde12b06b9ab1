"""Reports of messages, and the queue of those who moderate."""
