"""Looking at a set: leakage audit, summary, review sheets."""

from ...deprecated import forward

__getattr__ = forward(__name__)
