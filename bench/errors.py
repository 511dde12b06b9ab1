class BenchError(Exception):
    """A measurement that can't be trusted, or a server that could not be measured."""
