"""Clustering: connected components, average linkage, groups of the splits, names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.identities import clustering as identities
from refbench.builders.identities.clustering import average_linkage, components, identity_names, relabel
from refbench.builders.identities.identify import find_split_groups
from refbench.builders.identities.pair_search import Pairs, find_pairs
from toys import bridged_groups


def pairs_of(*edges: tuple[int, int]) -> Pairs:
    first, second = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    return Pairs(first, second, np.full(len(edges), 0.1))


def test_components_join_through_chains_and_are_numbered_by_their_first_image() -> None:
    assert components(7, pairs_of((1, 5), (5, 6), (2, 3))).tolist() == [0, 1, 2, 2, 3, 1, 1]
    assert components(3, pairs_of()).tolist() == [0, 1, 2]


def test_average_linkage_separates_two_people_whom_one_image_joined() -> None:
    vectors = bridged_groups()
    joined = components(9, find_pairs(vectors, 0.45))
    assert len(set(joined.tolist())) == 1
    split = average_linkage(vectors, joined, 0.45)
    assert len(set(split[:4].tolist())) == len(set(split[4:8].tolist())) == 1
    assert split[0] != split[4]


def test_average_linkage_never_joins_components_and_keeps_pairs() -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((40, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    joined = components(40, find_pairs(vectors, 0.2))
    split = average_linkage(vectors, joined, 0.2)
    for label in set(split.tolist()):
        assert len(set(joined[split == label].tolist())) == 1
    for label in set(joined.tolist()):
        if (joined == label).sum() == 2:
            assert len(set(split[joined == label].tolist())) == 1


def test_a_very_large_component_is_first_split_at_a_smaller_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = bridged_groups()
    joined = components(9, find_pairs(vectors, 0.45))
    monkeypatch.setattr(identities, "LARGEST", 5)
    split = average_linkage(vectors, joined, 0.45)
    assert len(set(split[:4].tolist())) == len(set(split[4:8].tolist())) == 1
    assert split[0] != split[4]


def test_linked_identities_form_one_split_group_unless_reviewed() -> None:
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


def test_average_linkage_is_found_by_its_name_in_0_1() -> None:
    with pytest.warns(DeprecationWarning, match="average_linkage"):
        assert identities.guarded is average_linkage
    with pytest.raises(AttributeError, match="nothing"):
        _ = identities.nothing
