"""ReF-LDM (Hsiao et al., 2024)."""

from ...deprecated import forward

__getattr__ = forward(__name__)
