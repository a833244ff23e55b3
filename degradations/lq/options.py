"""Options of the verb `degrade`: whose images are degraded, the seed of the draws, and the threads."""

from __future__ import annotations

from typing import TypedDict

from pydantic import Field

from ...records.options import Options, Split


class DegradeKeywords(TypedDict, total=False):
    """The fields of `DegradeOptions` as keyword arguments."""

    split: Split
    seed: int
    workers: int


class DegradeOptions(Options):
    """Options of `degrade`. ``workers`` changes no byte; the other fields decide what is written."""

    WHAT = "degrade options"

    split: Split = Field(
        default="test",
        description="Targets to degrade: train, val or test, or all for every image with references.",
    )
    seed: int = Field(
        default=0,
        description="Seed of the draws; the draws of an image depend on (recipe id, seed, key) alone.",
    )
    workers: int = Field(
        default=1, ge=1, description="Threads; the bytes are the same for any number of them."
    )
