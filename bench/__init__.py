"""Compares Hubbub with other servers: one load generator, one set of scenarios, ratios.

The measuring code talks to servers over sockets and reads `/proc`. Only `fill`, which makes databases for measurements,
and `count_queries`, which runs the server, import `hubbub`.
"""
