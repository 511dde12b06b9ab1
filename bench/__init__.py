"""Measures Hubbub and its peers side by side: one load generator, one set of scenarios, ratios.

Everything here talks to servers over sockets and reads `/proc`; nothing imports `hubbub`.
"""
