"""Recipes: named, versioned sequences of steps, and the deterministic draws of their parameters."""

from ...deprecated import forward

__getattr__ = forward(__name__)
