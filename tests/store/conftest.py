from tests.store.databases import database, new_engine, open_database

__all__ = ["database", "new_engine", "open_database"]
