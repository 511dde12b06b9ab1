"""The configuration of nginx that docs/scaling.md shows, for nodes on this machine."""

import re

from tests.servers import REPOSITORY

NODES = 3


def documented_configuration(port: int, nodes: list[int]) -> str:
    text = (REPOSITORY / "docs/scaling.md").read_text()
    (configuration,) = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    addresses = iter(f"server 127.0.0.1:{node} " for node in nodes)
    configuration, replaced = re.subn(r"server 10\.0\.0\.\d:8000 ", lambda _: next(addresses), configuration)
    assert replaced == NODES
    return str(configuration.replace("listen 80;", f"listen 127.0.0.1:{port};"))
