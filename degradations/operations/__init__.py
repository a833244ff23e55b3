"""Single operations on pixels (blur, noise, resizing, coding) and what may be drawn for them."""

from ...deprecated import forward

__getattr__ = forward(__name__)
