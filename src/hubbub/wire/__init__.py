"""The wire contract: commands, events, codes, codecs and RFC 6455 frames.

This layer is pure. It does no I/O, starts no task and reads no clock; it can be tested with values alone.
"""
