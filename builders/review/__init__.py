"""Audit for leaks, summary and review sheet of a set."""

from ...deprecated import forward

__getattr__ = forward(__name__)
