"""From photos to candidate faces: found, aligned, filtered, cached by content."""

from ...deprecated import forward

__getattr__ = forward(__name__)
