"""Folders of LQ images: synthesised, imported, verified."""

from ...deprecated import forward

__getattr__ = forward(__name__)
