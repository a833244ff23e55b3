"""What a mean of a table is taken over: images, or people with equal weights."""

from __future__ import annotations

from typing import Literal

MeanOver = Literal["images", "people"]
"""``images``: every image counts once. ``people``: every person counts once, by the mean of the images."""

OVER: tuple[MeanOver, MeanOver] = ("images", "people")


def other_mean(over: MeanOver) -> MeanOver:
    """The other one."""
    return "people" if over == "images" else "images"
