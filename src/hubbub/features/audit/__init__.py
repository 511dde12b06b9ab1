"""The audit log: its old lines are deleted. Features write it (`accounts/audit.py`); accounts have its route."""
