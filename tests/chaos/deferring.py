"""`hubbub`, but SQLite's writer defers whatever may be deferred: what else only many rooms at once bring about."""

from hubbub import cli
from hubbub.features.messages import log_batch

if __name__ == "__main__":
    log_batch.DEFERRED_FROM = 1
    cli.main()
