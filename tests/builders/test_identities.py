"""Identities: components, the guard, decisions by hand, and how well they fit the true names."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.identities import clustering as identities
from refbench.builders.identities.clustering import average_linkage, components, identity_names, relabel
from refbench.builders.identities.clustering_metrics import score_clustering, score_thresholds
from refbench.builders.identities.identify import find_split_groups
from refbench.builders.identities.pair_search import Pairs, find_pairs
from refbench.builders.settings.overrides import Overrides
from refbench.errors import FaultListError, RefbenchError


def pairs_of(*edges: tuple[int, int]) -> Pairs:
    first, second = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    return Pairs(first, second, np.full(len(edges), 0.1))


def test_components_join_through_chains_and_are_numbered_by_their_first_image() -> None:
    assert components(7, pairs_of((1, 5), (5, 6), (2, 3))).tolist() == [0, 1, 2, 2, 3, 1, 1]
    assert components(3, pairs_of()).tolist() == [0, 1, 2]


def two_people_and_a_bridge() -> np.ndarray:
    """Two tight groups of four, and one image half-way between that touches one of each."""
    random = np.random.default_rng(0)
    rows = np.zeros((9, 32))
    rows[:4, 0] = rows[4:8, 1] = 1.0
    rows[8, :2] = 1.0
    rows += 0.05 * random.standard_normal(rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_guard_parts_two_people_whom_one_image_joined() -> None:
    vectors = two_people_and_a_bridge()
    joined = components(9, find_pairs(vectors, 0.45))
    assert len(set(joined.tolist())) == 1
    parted = average_linkage(vectors, joined, 0.45)
    assert len(set(parted[:4].tolist())) == len(set(parted[4:8].tolist())) == 1
    assert parted[0] != parted[4]


def test_the_guard_never_joins_what_was_apart_and_leaves_pairs_alone() -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((40, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    joined = components(40, find_pairs(vectors, 0.2))
    parted = average_linkage(vectors, joined, 0.2)
    for label in set(parted.tolist()):
        assert len(set(joined[parted == label].tolist())) == 1
    for label in set(joined.tolist()):
        if (joined == label).sum() == 2:
            assert len(set(parted[joined == label].tolist())) == 1


def test_a_component_too_large_for_memory_is_parted_at_a_stricter_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = two_people_and_a_bridge()
    joined = components(9, find_pairs(vectors, 0.45))
    monkeypatch.setattr(identities, "LARGEST", 5)
    parted = average_linkage(vectors, joined, 0.45)
    assert len(set(parted[:4].tolist())) == len(set(parted[4:8].tolist())) == 1
    assert parted[0] != parted[4]


def test_linked_identities_stay_on_one_side_of_the_split_unless_somebody_parted_them() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    assert find_split_groups(labels, pairs_of((1, 2)), np.zeros(5, bool)).tolist() == [0, 0, 0, 0, 1]
    assert find_split_groups(labels, pairs_of((1, 2)), np.array([0, 1, 0, 0, 0], bool)).tolist() == [
        0,
        0,
        1,
        1,
        2,
    ]


@given(st.lists(st.integers(-3, 9)))
def test_relabel_keeps_the_partition_and_numbers_it_in_order(labels: list[int]) -> None:
    fresh = relabel(np.array(labels, dtype=np.int64)).tolist()
    assert [fresh.index(label) for label in fresh] == [labels.index(label) for label in labels]
    assert list(dict.fromkeys(fresh)) == list(range(len(set(labels))))


def test_names_widen_with_the_number_of_people() -> None:
    assert identity_names(np.array([0, 12])) == ["p0000", "p0012"]
    assert identity_names(np.array([12345])) == ["p12345"]


def test_splits_come_before_merges() -> None:
    overrides = Overrides(merge=(("a", "d"),), split=(("a",), ("b",)))
    applied = overrides.apply({"a": 0, "b": 0, "c": 0, "d": 1})
    assert applied["a"] == applied["d"] != applied["c"]
    assert len({applied["a"], applied["b"], applied["c"]}) == 3


def test_keys_that_yaml_takes_for_numbers_or_words_stay_keys(tmp_path: Path) -> None:
    (tmp_path / "by_eye.yaml").write_text("merge: [[001_1, 0x12]]\ndrop: [yes, 1e3]\n")
    found = Overrides.read(tmp_path / "by_eye.yaml")
    assert (found.merge, found.drop) == ((("001_1", "0x12"),), ("yes", "1e3"))


def test_a_file_of_overrides_names_every_fault_at_once(tmp_path: Path) -> None:
    path = tmp_path / "by_eye.yaml"
    path.write_text("merge: [[a, nobody]]\nsplit: [[a], [a, b]]\ndrop: [gone]\n")
    with pytest.raises(FaultListError) as refusal:
        Overrides.read(path).check({"a", "b"})
    assert len(refusal.value.faults) == 3
    assert all(word in str(refusal.value) for word in ("nobody", "gone", "two groups"))


@pytest.mark.parametrize("text", ["merge: a", "- a", "merge: [[1, [2]]]", "join: [[a]]", "merge: [", "\x00"])
def test_what_is_no_file_of_overrides_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "by_eye.yaml"
    path.write_text(text)
    with pytest.raises(RefbenchError, match=r"by_eye\.yaml"):
        Overrides.read(path)


def test_pairwise_and_bcubed_by_hand() -> None:
    """The example: true people {a a a} {b b}, found {a a} {a b b}."""
    result = score_clustering([0, 0, 1, 1, 1], ["a", "a", "a", "b", "b"])
    assert result.pairwise.precision == pytest.approx(2 / 4)
    assert result.pairwise.recall == pytest.approx(2 / 4)
    assert result.bcubed.precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)
    assert result.bcubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert (result.found, result.true, result.pure, result.whole) == (2, 2, 1, 1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=14))
def test_identities_are_judged_as_by_counting(labels: list[tuple[int, int]]) -> None:
    true, guess = np.array(labels).T
    result = score_clustering(guess.tolist(), true.tolist())
    couples = list(combinations(range(len(labels)), 2))
    joined = [(i, j) for i, j in couples if guess[i] == guess[j]]
    real = [(i, j) for i, j in couples if true[i] == true[j]]
    both = len(set(joined) & set(real))
    assert result.pairwise.precision == pytest.approx(both / len(joined) if joined else 1.0)
    assert result.pairwise.recall == pytest.approx(both / len(real) if real else 1.0)
    mine = np.array([np.sum((true == t) & (guess == g)) for t, g in labels])
    assert result.bcubed.precision == pytest.approx(np.mean(mine / [np.sum(guess == g) for g in guess]))
    assert result.bcubed.recall == pytest.approx(np.mean(mine / [np.sum(true == t) for t in true]))


def test_perfect_identities_score_one_whatever_they_are_called() -> None:
    result = score_clustering(["x", "y", "x"], [7, 8, 7])
    assert result.pairwise.f1 == result.bcubed.f1 == 1.0
    assert score_clustering([0, 1], [0, 1]).pairwise.precision == 1.0


def test_judging_needs_a_label_of_each_kind_per_image() -> None:
    with pytest.raises(RefbenchError):
        score_clustering([0], [0, 1])
    with pytest.raises(RefbenchError):
        score_clustering([], [])


def test_thresholds_trade_precision_for_recall() -> None:
    table = score_thresholds(two_people_and_a_bridge()[:8], list("aaaabbbb"), [0.0, 0.3, 1.9])
    recall = table[table["identities"] == "components"]["pair_recall"].tolist()
    precision = table[table["identities"] == "components"]["pair_precision"].tolist()
    assert recall == [0.0, 1.0, 1.0]
    assert precision == [1.0, 1.0, pytest.approx(12 / 28)]
