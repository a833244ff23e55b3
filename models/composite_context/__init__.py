"""The composite-context model (arXiv 2505.21905)."""

from ...deprecated import forward

__getattr__ = forward(__name__)
