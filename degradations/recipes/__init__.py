"""Recipes: named, versioned steps, and what is drawn from them for an image."""

from ...deprecated import forward

__getattr__ = forward(__name__)
