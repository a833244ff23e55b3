"""Submissions: reading and checking untrusted archives, cards and images."""

from ...deprecated import forward

__getattr__ = forward(__name__)
