"""Operations on pixels (blur, noise, resizing, coding) and distributions of their parameters."""

from ...deprecated import forward

__getattr__ = forward(__name__)
