"""The record store: an append-only folder of records."""

from ...deprecated import forward

__getattr__ = forward(__name__)
