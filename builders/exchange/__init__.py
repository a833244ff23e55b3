"""Export and import of sets: Parquet, WebDataset, Croissant, folders, the FFHQ-Ref release."""

from ...deprecated import forward

__getattr__ = forward(__name__)
