"""Identity-disjoint train, val and test splits, drawn by a seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..files import sha256_bytes


def draw_splits(
    eligible: Mapping[str, int],
    val: int | float,
    test: int | float,
    by: Literal["identities", "images"],
    seed: int,
) -> dict[str, str]:
    """The split of every eligible unit (an identity, or a group of identities that must stay together).

    Args:
        eligible: number of images per unit; a unit is named by the key of its first image.
        val, test: a whole number counts identities or images, a fraction is a share of all eligible ones.
        by: what ``val`` and ``test`` count.
        seed: of the draw.

    A unit's place in the draw depends on the seed and its own name alone, so that adding photos of new
    people moves few of the old ones. A share above zero gives at least one unit, test before val, as far as
    units go. Counting images, units that would overshoot are passed over, so a size may come out smaller,
    never greater.
    """
    drawn = sorted(eligible, key=lambda unit: (sha256_bytes(f"{seed}/{unit}".encode()), unit))
    weight = dict.fromkeys(drawn, 1) if by == "identities" else dict(eligible)
    total = sum(weight.values())
    splits = dict.fromkeys(drawn, "train")
    for split, size in (("test", test), ("val", val)):
        room = size if isinstance(size, int) else round(size * total)
        least_one = isinstance(size, float) and size > 0.0
        for unit in drawn:
            if splits[unit] != "train":
                continue
            if weight[unit] <= room:
                splits[unit] = split
                room -= weight[unit]
                least_one = False
        if least_one:
            left = [unit for unit in drawn if splits[unit] == "train"]
            if left:
                splits[min(left, key=lambda unit: weight[unit])] = split
    return splits
