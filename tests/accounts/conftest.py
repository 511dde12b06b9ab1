from tests.store.databases import (
    database,
    new_engine,
    open_database,
    postgres_template,
    postgres_with_schema,
    sqlite_template,
)

__all__ = ["database", "new_engine", "open_database", "postgres_template", "postgres_with_schema", "sqlite_template"]
