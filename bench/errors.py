class BenchError(Exception):
    """A measurement that cannot be trusted, or a server that could not be measured."""
