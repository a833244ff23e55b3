"""Copies are never references of each other; given identities are checked against the embeddings."""

from __future__ import annotations

import numpy as np
import pytest
from refbench.builders.identities.given_people import check_given_people
from refbench.builders.photos.phash import (
    COPY_BITS,
    MIRROR_BITS,
    are_copies,
    mirrored_hash,
    perceptual_hash,
)
from refbench.images import read_rgb
from refbench.samples import PEOPLE


def _bits(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def _pair(hashes: list[str], distance: float) -> bool:
    return bool(are_copies(hashes, np.array([0]), np.array([1]), distances=np.array([distance]))[0])


@pytest.fixture(scope="module")
def neutral() -> np.ndarray:
    return read_rgb(PEOPLE / "001_neutral.jpg")


def test_the_hash_of_a_mirror_image_is_the_mirrored_hash(neutral):
    found = perceptual_hash(np.ascontiguousarray(neutral[:, ::-1]))
    told = mirrored_hash(perceptual_hash(neutral))
    assert _bits(found, told) <= 8
    assert _bits(found, perceptual_hash(neutral)) > 50
    assert mirrored_hash(told) == perceptual_hash(neutral)


def test_a_mirror_image_is_a_copy_at_any_distance_and_another_picture_is_not(neutral):
    own = perceptual_hash(neutral)
    other = perceptual_hash(read_rgb(PEOPLE / "002_neutral.jpg"))
    mirrored = perceptual_hash(np.ascontiguousarray(neutral[:, ::-1]))
    assert _pair([own, mirrored], 0.3)
    assert not _pair([own, other], 0.01)


def test_both_the_hash_and_the_embedding_tell_a_copy_the_same_way_round(neutral):
    own = perceptual_hash(neutral)
    near = f"{int(own, 16) ^ ((1 << COPY_BITS) - 1):064x}"
    far = f"{int(own, 16) ^ ((1 << (COPY_BITS + 1)) - 1):064x}"
    assert _pair([own, near], 0.039)
    assert not _pair([own, near], 0.041)
    assert not _pair([own, far], 0.039)
    turned = mirrored_hash(f"{int(own, 16) ^ ((1 << MIRROR_BITS) - 1):064x}")
    beyond = mirrored_hash(f"{int(own, 16) ^ ((1 << (MIRROR_BITS + 1)) - 1):064x}")
    assert _pair([own, turned], 0.3)
    assert not _pair([own, beyond], 0.3)


def test_an_unknown_hash_is_a_copy_of_nothing():
    assert not _pair(["", ""], 0.0)


def test_one_person_under_two_names_is_told_and_stays_together():
    people = ["ann", "ann", "ann (2)", "ann (2)", "bob", "bob"]
    labels = np.array([0, 0, 1, 1, 2, 2])
    checked = check_given_people(
        labels, np.array([0, 0, 0, 0, 1, 1]), names=people, keys=[f"k{row}" for row in range(6)]
    )
    assert checked.links == ((0, 1),)
    (warning,) = checked.warnings
    assert "'ann' and 'ann (2)'" in warning
    assert "'bob'" not in warning


def test_a_stranger_and_a_lonely_image_are_told_by_name():
    labels = np.array([0, 0, 0, 0, 0, 1, 1])
    clusters = np.array([0, 0, 0, 1, 2, 1, 1])
    names = ["ann"] * 5 + ["bob"] * 2
    checked = check_given_people(labels, clusters, names=names, keys=[f"k{row}" for row in range(7)])
    assert checked.links == ((0, 1),)
    shown, alone = checked.warnings
    assert "k3 of 'ann' looks like 'bob'" in shown
    assert "k4 of 'ann'" in alone


def test_given_people_that_agree_with_the_embeddings_are_not_told():
    labels = np.array([0, 0, 1, 1])
    checked = check_given_people(labels, np.array([5, 5, 3, 4]), names=list("aabb"), keys=list("wxyz"))
    assert checked.links == ()
    assert checked.warnings == ()


def test_embeddings_that_tell_nobody_apart_link_nobody():
    labels = np.repeat(np.arange(4), 2)
    checked = check_given_people(labels, np.zeros(8, int), names=list("aabbccdd"), keys=list("abcdefgh"))
    assert checked.links == ()
    assert "do not tell 4 of 4 given identities apart" in checked.warnings[0]
