"""From photos to candidate faces: detected, aligned, filtered, with results cached by content."""

from ...deprecated import forward

__getattr__ = forward(__name__)
