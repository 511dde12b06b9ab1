"""Topics: what programs publish to and people follow. Publishes to a broker; knows no rooms and no HTTP."""
