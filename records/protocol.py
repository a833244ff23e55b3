"""A protocol: a metric with everything that fixes its number, as one declared object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ComparedWith = Literal["hq", "lq", "references", "none", "set"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a number means. Change any part that moves the number, and the id changes too.

    Attributes:
        id: versioned name, printed wherever the number goes, for instance ``lpips/alex-v0.1``.
        title: short column heading, for instance ``LPIPS (AlexNet)``.
        higher_is_better: the direction.
        unit: of the value, for instance ``dB``, ``cosine`` or ``1`` for a pure number.
        bounds: least and greatest possible value; None where there is none.
        compared_with: what the restored image is compared with.
        decimals: places shown on the board (ranking always uses full precision).
        weights: names in the weights table that the number depends on.
        definition: crop, resize, colour, range and rounding, in one or two sentences.
        licence: of the metric's code and weights.
        citation: where the metric comes from.
    """

    id: str
    title: str
    higher_is_better: bool
    unit: str
    bounds: tuple[float | None, float | None]
    compared_with: ComparedWith
    decimals: int
    weights: tuple[str, ...]
    definition: str
    licence: str
    citation: str

    @property
    def is_set_metric(self) -> bool:
        """True for a number of the whole set (FID and its kin), which no single image has."""
        return self.compared_with == "set"
