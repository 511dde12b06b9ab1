"""Limits on a Redis, as a node makes them."""

from collections.abc import Sequence

from hubbub.broker.redis_address import parse_addresses
from hubbub.limits import Allowance
from hubbub.shared_limits.redis import RedisLimits
from tests.patient import PATIENCE
from tests.servers import Redis


def redis_limits(servers: Sequence[Redis], allowance: Allowance) -> RedisLimits:
    return redis_limits_at(",".join(server.url for server in servers), allowance)


def redis_limits_at(url: str, allowance: Allowance, *, namespace: str = "hubbub") -> RedisLimits:
    return RedisLimits(parse_addresses(url), allowance, namespace=namespace, timeout=PATIENCE)
