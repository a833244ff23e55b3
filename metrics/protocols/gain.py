"""Gain metrics: the improvement of the restored over the LQ image in any metric that compares with HQ."""

from __future__ import annotations

from dataclasses import replace

from ...records.protocol import GAIN, Protocol, ProtocolId
from ..core.metric import GainMetric, ImageMetric


def gain_of(base: ImageMetric) -> GainMetric:
    """The gain in a metric that compares with HQ; its id is that of the metric with ``gain:`` before it."""
    of = base.protocol
    widest = of.bounds[1] - of.bounds[0] if None not in of.bounds else None  # type: ignore[operator]
    protocol = Protocol(
        id=str(replace(ProtocolId.parse(of.id), is_gain=True)),
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
        superseded_by=f"{GAIN}{of.superseded_by}" if of.superseded_by else "",
    )
    return GainMetric(protocol, base)
