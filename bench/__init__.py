"""Measures Hubbub and its peers side by side: one load generator, one set of scenarios, ratios.

What measures talks to servers over sockets and reads `/proc`. Only `fill`, which makes databases to measure with, and
`count_queries`, which runs the server, import `hubbub`.
"""
