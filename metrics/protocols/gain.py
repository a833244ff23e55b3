"""Gain over the LQ image: what a restoration is worth beside doing nothing."""

from __future__ import annotations

from ...records.protocol import Protocol
from ..core.metric import GainMetric, ImageMetric


def gain_of(base: ImageMetric) -> GainMetric:
    """The gain in a metric against HQ; its id is the metric's, behind ``gain:``."""
    of = base.protocol
    widest = of.bounds[1] - of.bounds[0] if None not in of.bounds else None  # type: ignore[operator]
    protocol = Protocol(
        id=f"gain:{of.id}",
        title=f"Gain in {of.title}",
        higher_is_better=True,
        unit=of.unit,
        bounds=(-widest if widest is not None else None, widest),
        compared_with="lq",
        decimals=of.decimals,
        weights=of.weights,
        definition=f"What {of.id} improved by from the LQ to the restored image, above 0 for better.",
        licence=of.licence,
        citation=of.citation,
    )
    return GainMetric(protocol, base)
