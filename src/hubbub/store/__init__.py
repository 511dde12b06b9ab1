"""The database engine: transactions, group commit, migrations and upkeep. It knows no rooms, no sockets and no HTTP."""
