"""Reference lists, their order, keys, gates and splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.identities.pair_search import Pairs
from refbench.builders.photos.keys import face_key, photo_keys
from refbench.builders.references.references import (
    Reference,
    farthest_point_order,
    order_references,
    reference_candidates,
)
from refbench.builders.references.splits import draw_splits
from refbench.builders.settings.quality_filters import QualityFilters, rejection_reason


def on_a_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_lists_are_pairwise_while_identities_are_not() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([0.2, 0.1]))
    lists = reference_candidates(4, pairs, np.array([0, 0, 0, 1]))
    assert [[reference.row for reference in found] for found in lists] == [[1], [2, 0], [1], []]


def test_a_pair_across_identities_is_no_reference() -> None:
    pairs = Pairs(np.array([0]), np.array([1]), np.array([0.2]))
    assert reference_candidates(2, pairs, np.array([0, 1])) == [[], []]


def test_farthest_point_order_takes_the_most_diverse_first() -> None:
    vectors = on_a_circle(0, 10, 20, 60, 35)
    found = [Reference(row, round(1 - float(vectors[0] @ vectors[row]), 6)) for row in (1, 2, 4, 3)]

    def rows(start: str, most: int = 9) -> list[int]:
        return [
            r.row
            for r in order_references(
                found, vectors, 0.0, order="farthest-point", start=start, max_references=most
            )
        ]  # type: ignore[arg-type]

    assert rows("nearest") == [1, 3, 4, 2]
    assert rows("farthest") == [3, 1, 4, 2]
    assert rows("medoid") == [2, 3, 1, 4] or rows("medoid")[0] in (2, 4)
    assert rows("nearest", 2) == [1, 3]
    assert [
        r.row
        for r in order_references(found, vectors, 0.0, order="nearest", start="nearest", max_references=9)
    ] == [
        1,
        2,
        4,
        3,
    ]


def test_near_duplicates_are_no_references() -> None:
    found = [Reference(1, 0.05), Reference(2, 0.1), Reference(3, 0.3)]
    vectors = on_a_circle(0, 18, 26, 45)
    assert [
        r.row
        for r in order_references(found, vectors, 0.1, order="nearest", start="nearest", max_references=9)
    ] == [2, 3]


@given(st.integers(1, 12), st.integers(0, 2**31), st.sampled_from(["nearest", "farthest", "medoid"]))
def test_farthest_point_order_is_a_prefix_whatever_the_cap(count: int, seed: int, start: str) -> None:
    random = np.random.default_rng(seed)
    vectors = on_a_circle(*random.uniform(0, 360, count))
    between = 1.0 - vectors @ vectors.T.astype(np.float64)
    to_target = random.uniform(0, 1, count)
    whole = farthest_point_order(between, to_target, start, count=count)  # type: ignore[arg-type]
    assert sorted(whole) == list(range(count))
    for most in range(1, count + 1):
        assert farthest_point_order(between, to_target, start, count=most) == whole[:most]  # type: ignore[arg-type]


def test_keys_come_from_paths_and_stay_readable() -> None:
    keys = photo_keys(["a/b.jpg", "Ünal/é 1.png", "c.tar.jpeg"])
    assert keys == {"a/b.jpg": "a--b", "Ünal/é 1.png": "Unal--e_1", "c.tar.jpeg": "c_tar"}
    assert face_key("a--b", 1) == "a--b"
    assert face_key("a--b", 2) == "a--b~2"


paths = st.lists(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1, max_size=130),
        min_size=1,
    )
    .map("/".join)
    .map(lambda path: path + ".jpg"),
    max_size=12,
    unique=True,
)


@given(paths)
def test_keys_are_safe_short_and_unique_whatever_their_case(sources: list[str]) -> None:
    keys = photo_keys(sources)
    assert len({key.lower() for key in keys.values()}) == len(sources)
    for key in keys.values():
        assert key.isascii()
        assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-~")
        assert 0 < len(key) < 120


def test_names_that_differ_only_in_case_get_different_keys() -> None:
    keys = photo_keys(["A.jpg", "a.jpg", "a.png"])
    assert keys["A.jpg"] == "A"
    assert keys["a.jpg"].startswith("a~")
    assert len({key.lower() for key in keys.values()}) == 3


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ({"score": 0.5}, "score 0.5 is under 0.9"),
        ({"eye_distance": 5.25}, "eye_distance 5.25 is under 24"),
        ({"yaw": -80.0}, "yaw -80 is over 75"),
        ({"outside": 0.9, "score": 1.0}, "outside 0.9 is over 0.5"),
        ({"score": 0.99, "yaw": 10.0, "scale": 1.0}, ""),
        ({}, ""),
    ],
)
def test_gates_say_which_and_by_how_much(quality: dict[str, float], words: str) -> None:
    assert rejection_reason(quality, QualityFilters(min_score=0.9)) == words


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


def test_sizes_by_images_never_overshoot() -> None:
    weights = {"a": 5, "b": 3, "c": 3, "d": 2}
    drawn = draw_splits(weights, 0, 4, seed=1)
    assert sum(weights[unit] for unit, split in drawn.items() if split == "test") in (2, 3)
    assert draw_splits({"a": 50}, 0, 4, seed=1) == {"a": "train"}


def test_the_seed_decides_and_newcomers_move_few() -> None:
    assert draw_splits(people(50), 0.1, 0.3, seed=1) != draw_splits(people(50), 0.1, 0.3, seed=2)
    before, after = draw_splits(people(50), 0.0, 0.5, seed=1), draw_splits(people(52), 0.0, 0.5, seed=1)
    assert sum(before[unit] != after[unit] for unit in before) <= 2
