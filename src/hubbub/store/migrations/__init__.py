"""The database's schema, step by step. A new step is a file in `versions/`, and its number comes last here."""

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
HEAD = VERSIONS[-1]
