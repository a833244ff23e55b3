"""Reference lists and identity-disjoint splits."""

from ...deprecated import forward

__getattr__ = forward(__name__)
