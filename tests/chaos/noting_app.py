"""A hub with a feature that stores a row for each message, in the message's own transaction."""

import os
from collections.abc import Sequence

from fastapi import FastAPI

from hubbub import Feature, Hubbub
from hubbub.features.feature import Change
from hubbub.store import sqlite
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

sqlite.DEFERRED_FROM = int(os.environ["DEFERRED_FROM"])

NOTE = Statement(
    "INSERT INTO noted (room, rev) SELECT room, rev FROM {noted} AS noted",
    tables={"noted": {"room": str, "rev": int}},
    deferrable="tests.chaos.note",
)


class Notes(Feature):
    name = "notes"
    scripts = ("CREATE TABLE noted (room TEXT, rev BIGINT, PRIMARY KEY (room, rev))",)

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        transaction.run(NOTE, noted=[(change.room, change.rev) for change in changes])


app = FastAPI()
app.include_router(Hubbub(guests="on", data_dir="data", features=[Notes()]).router)
