"""Publishing: records -> static site."""

from ...deprecated import forward

__getattr__ = forward(__name__)
