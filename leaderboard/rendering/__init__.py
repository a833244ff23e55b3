"""Templates, assets and the parts of pages."""

from ...deprecated import forward

__getattr__ = forward(__name__)
