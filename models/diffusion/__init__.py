"""The diffusion process: schedule and samplers."""

from ...deprecated import forward

__getattr__ = forward(__name__)
