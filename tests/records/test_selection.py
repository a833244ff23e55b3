"""Targets of a verb: those of a split, their HQ files, and the check for LQ images."""

from __future__ import annotations

from pathlib import Path

import pytest
from refbench.errors import RefbenchError
from refbench.records.reference_set import ReferenceSet, SetInfo
from refbench.records.selection import hq_files, require_lq, targets_of
from toys import bare_target


@pytest.fixture
def chosen(tmp_path: Path) -> ReferenceSet:
    """Three targets with references, one of them a real photo without HQ, and one target without."""
    targets = [
        bare_target("a", references=("b",), reference_distances=(0.1,)),
        bare_target("b", references=("a",), reference_distances=(0.1,), split="train"),
        bare_target("c", hq="", hq_sha256="", split="real", references=("a",), reference_distances=(0.2,)),
        bare_target("d", split="train"),
    ]
    info = SetInfo(name="toy", content_hash="0", image_size=8, settings={}, versions={}, counts={})
    return ReferenceSet(tmp_path, info, tuple(targets))


def test_targets_are_those_with_references_of_the_split(chosen: ReferenceSet) -> None:
    assert [target.key for target in targets_of(chosen, "train")] == ["b"]
    assert {target.key for target in targets_of(chosen, "all")} == {"a", "b", "c"}


def test_an_empty_split_says_what_the_others_hold(chosen: ReferenceSet) -> None:
    with pytest.raises(RefbenchError, match="split 'val', but 1 in real, 1 in test, 1 in train"):
        targets_of(chosen, "val")


def test_hq_files_leave_out_what_has_no_hq(chosen: ReferenceSet) -> None:
    images, sizes = hq_files(chosen, "all")
    assert images == {"a": chosen.root / "images/a.png", "b": chosen.root / "images/b.png"}
    assert sizes == {"a": (8, 8), "b": (8, 8)}
    with pytest.raises(RefbenchError, match="no target of split 'real' has an HQ image"):
        hq_files(chosen, "real")


def test_absent_lq_images_are_counted_and_named(chosen: ReferenceSet) -> None:
    targets = targets_of(chosen, "all")
    path = chosen.lq_path("x", "a")
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(
        RefbenchError, match=r"2 of 3 LQ images are absent \(b, c\).*refbench degrade .* --recipe x"
    ):
        require_lq(chosen, "x", targets)
    for key in "bc":
        chosen.lq_path("x", key).touch()
    require_lq(chosen, "x", targets)
