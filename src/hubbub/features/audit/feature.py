"""The feature of the audit log: it deletes old lines. Other features write them, by `accounts/audit.py`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from hubbub.accounts.audit import forget_old_lines
from hubbub.features.feature import Feature
from hubbub.features.jobs import LeasedJob
from hubbub.store.leases import Lease

TIDY = 600.0


class AuditFeature(Feature):
    def jobs(self) -> Iterable[LeasedJob]:
        if self.services.database is not None:
            yield LeasedJob("hubbub.audit: forget old lines", TIDY, self._forget_old)

    async def _forget_old(self, lease: Lease) -> None:
        assert self.services.database is not None
        await lease.transact(self.services.database, partial(forget_old_lines, days=self.services.settings.audit_days))
