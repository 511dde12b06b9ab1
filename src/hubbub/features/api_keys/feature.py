"""The feature of API keys. The rules and the storing are in `accounts/api_keys.py`; `http/admission.py` asks for a
key; the routes are with the features that they use."""

from __future__ import annotations

import time

from hubbub.accounts.api_keys import ApiKeys, ApiKeyStore, KeyFiles, KeyTable
from hubbub.features.feature import Feature, Services


class ApiKeysFeature(Feature):
    def __init__(self) -> None:
        self.keys: ApiKeys

    def open(self, services: Services) -> None:
        super().open(services)
        self.keys = ApiKeys(_store_of(services), clock=time.monotonic)


def _store_of(services: Services) -> ApiKeyStore | None:
    if services.database is not None and services.is_shared:
        return KeyTable(services.database)
    return KeyFiles(services.settings.data_dir) if services.settings.data_dir is not None else None
