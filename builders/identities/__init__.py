"""Identities: pair search under a cosine distance, clustering, clustering metrics."""

from ...deprecated import forward

__getattr__ = forward(__name__)
