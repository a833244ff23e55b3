"""Splits: sizes, seeds, stability under new people."""

from __future__ import annotations

from refbench.builders.references.splits import draw_splits


def people(count: int) -> dict[str, int]:
    return {f"person{number}": 1 for number in range(count)}


def sizes(splits: dict[str, str]) -> tuple[int, int, int]:
    values = list(splits.values())
    return values.count("train"), values.count("val"), values.count("test")


def test_shares_and_counts_are_met() -> None:
    assert sizes(draw_splits(people(100), 0.1, 0.2, seed=0)) == (70, 10, 20)
    assert sizes(draw_splits(people(100), 5, 90, seed=0)) == (5, 5, 90)
    assert sizes(draw_splits(people(10), 0, 1.0, seed=0)) == (0, 0, 10)
    assert sizes(draw_splits(people(10), 0, 0, seed=0)) == (10, 0, 0)


def test_small_sets_still_get_a_test_split() -> None:
    assert sizes(draw_splits(people(1), 0.1, 0.2, seed=0)) == (0, 0, 1)
    assert sizes(draw_splits(people(3), 0.1, 0.2, seed=0)) == (1, 1, 1)
    assert draw_splits({}, 0.1, 0.2, seed=0) == {}


def test_sizes_by_images_are_never_exceeded() -> None:
    weights = {"a": 5, "b": 3, "c": 3, "d": 2}
    drawn = draw_splits(weights, 0, 4, seed=1)
    assert sum(weights[group] for group, split in drawn.items() if split == "test") in (2, 3)
    assert draw_splits({"a": 50}, 0, 4, seed=1) == {"a": "train"}


def test_the_seed_decides_and_new_people_move_few() -> None:
    assert draw_splits(people(50), 0.1, 0.3, seed=1) != draw_splits(people(50), 0.1, 0.3, seed=2)
    before, after = draw_splits(people(50), 0.0, 0.5, seed=1), draw_splits(people(52), 0.0, 0.5, seed=1)
    assert sum(before[group] != after[group] for group in before) <= 2
