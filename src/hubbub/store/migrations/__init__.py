"""The database's schema, step by step. A new step is a file in `versions/`, and `HEAD` names the last one."""

HEAD = "0004"
