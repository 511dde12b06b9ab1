"""An application's functions, called when something happens."""
