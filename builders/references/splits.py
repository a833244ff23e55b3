"""Identity-disjoint train, val and test splits, drawn by a seed."""

from __future__ import annotations

from collections.abc import Mapping

from ...files import sha256_bytes


def draw_splits(
    weights: Mapping[str, int], val: int | float, test: int | float, *, seed: int
) -> dict[str, str]:
    """Split of every group of identities that may go to val or test.

    The place of a group in the draw depends on the seed and its name alone, so photos of new people move few
    of the others. A group that would exceed a size is passed over, so a split may be smaller than asked for,
    never greater; but a share above zero takes at least one group, test before val, while there are any.

    Args:
        weights: identities or images per group, whichever the sizes count; a group is named by the key of its
            first image.
        val: size of the val split: an int is a count, a float a share of the sum of all weights, 0 to 1.
        test: size of the test split, in the same way.
        seed: of the draw.

    Returns:
        ``train``, ``val`` or ``test`` by name of the group.
    """
    drawn = sorted(weights, key=lambda group: (sha256_bytes(f"{seed}/{group}".encode()), group))
    total = sum(weights.values())
    splits = dict.fromkeys(drawn, "train")
    for split, size in (("test", test), ("val", val)):
        room = size if isinstance(size, int) else round(size * total)
        free = [group for group in drawn if splits[group] == "train"]
        taken = 0
        for group in free:
            if taken + weights[group] <= room:
                splits[group] = split
                taken += weights[group]
        if free and not taken and isinstance(size, float) and size > 0.0:
            splits[min(free, key=lambda group: weights[group])] = split
    return splits
