"""Reading and writing weights, and the registry of bundled restorers."""

from ...deprecated import forward

__getattr__ = forward(__name__)
