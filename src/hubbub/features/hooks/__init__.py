"""The application's functions that are called when something happens."""
