"""Options of `TrainingPairs`: references per entry, augmentation, probabilities and memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypedDict

from pydantic import Field

from ...records.options import Options
from .augment import Augmentation


class TrainingPairsKeywords(TypedDict, total=False):
    """The fields of `TrainingPairsOptions` as keyword arguments, and their names in 0.1."""

    seed: int
    references_per_entry: int
    augmentation: Augmentation | None
    mirror_probability: float
    target_as_reference: float
    cache_bytes: int
    sharpen_truth: bool
    count: int
    own_share: float
    keep_bytes: int


class TrainingPairsOptions(Options):
    """Options of `TrainingPairs`; every field but ``cache_bytes`` decides what is drawn."""

    WHAT = "options of TrainingPairs"
    OLD_NAMES: ClassVar[Mapping[str, str]] = {
        "count": "references_per_entry",
        "own_share": "target_as_reference",
        "keep_bytes": "cache_bytes",
    }

    seed: int = Field(default=0, description="Seed of all draws.")
    references_per_entry: int = Field(
        default=5,
        ge=1,
        description="References of every entry that has any (N), repeated where fewer exist.",
    )
    augmentation: Augmentation | None = Field(
        default=None, description="Augmentation of the references; None for that of ReF-LDM's code."
    )
    mirror_probability: float = Field(
        default=0.5, ge=0, le=1, description="Probability that HQ, LQ and references are flipped together."
    )
    target_as_reference: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Probability that the target itself, augmented, takes a reference's place. No paper does "
        "it; it teaches a briefly trained model to use references.",
    )
    sharpen_truth: bool = Field(
        default=False,
        description="Take the sharpened HQ image as truth, as Real-ESRGAN is trained; for recipes that begin "
        "with unsharp_mask.",
    )
    cache_bytes: int = Field(
        default=2**29, ge=0, description="Decoded images that each worker keeps, in bytes; 0 keeps none."
    )

    @classmethod
    def merged(cls, options: Self | None, given: Mapping[str, Any]) -> Self:
        """As `Options.merged`, with a DeprecationWarning for names of 0.1."""
        for old in cls.OLD_NAMES.keys() & given.keys():
            new = cls.OLD_NAMES[old]
            warnings.warn(
                f"{old} is called {new} now; the old name goes with 0.3", DeprecationWarning, stacklevel=3
            )
        return super().merged(options, given)
