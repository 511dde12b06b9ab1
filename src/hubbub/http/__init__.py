"""The routes, and who is let in by them. With `serving`, the only layer that knows HTTP."""
