"""Intervals, tests, ranks and slices."""

from ...deprecated import forward

__getattr__ = forward(__name__)
