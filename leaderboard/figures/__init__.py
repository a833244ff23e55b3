"""SVG figures."""

from ...deprecated import forward

__getattr__ = forward(__name__)
