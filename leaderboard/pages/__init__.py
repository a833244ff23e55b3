"""The pages of the site."""

from ...deprecated import forward

__getattr__ = forward(__name__)
