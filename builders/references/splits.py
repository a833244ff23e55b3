"""Identity-disjoint train, val and test splits, drawn by a seed."""

from __future__ import annotations

from collections.abc import Mapping

from ...files import sha256_bytes


def draw_splits(
    weights: Mapping[str, int], val: int | float, test: int | float, *, seed: int
) -> dict[str, str]:
    """The split of every unit that may be in val or test.

    Args:
        weights: identities or images per unit, whichever the sizes count; a unit is a group of identities
            that must stay together, named by the key of its first image.
        val, test: a whole number is a count, a fraction a share of all weights together.
        seed: of the draw.

    A unit's place in the draw depends on the seed and its own name alone, so that photos of new people move
    few of the old ones. A unit that would overshoot is passed over, so a size may come out smaller, never
    greater; but a share above zero gives at least one unit, test before val, as far as units go.
    """
    drawn = sorted(weights, key=lambda unit: (sha256_bytes(f"{seed}/{unit}".encode()), unit))
    total = sum(weights.values())
    splits = dict.fromkeys(drawn, "train")
    for split, size in (("test", test), ("val", val)):
        room = size if isinstance(size, int) else round(size * total)
        free = [unit for unit in drawn if splits[unit] == "train"]
        taken = 0
        for unit in free:
            if taken + weights[unit] <= room:
                splits[unit] = split
                taken += weights[unit]
        if free and not taken and isinstance(size, float) and size > 0.0:
            splits[min(free, key=lambda unit: weights[unit])] = split
    return splits
