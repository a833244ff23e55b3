"""Identities of a build: overrides, near duplicates, folders of people."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from refbench.builders.build import build_set
from refbench.builders.settings.options import BuildOptions
from refbench.builders.settings.overrides import Overrides
from refbench.builders.verify import verify_set
from refbench.errors import FaultListError
from refbench.images import write_png
from refbench.records.reference_set import ReferenceSet
from toys import EACH, PEOPLE, patches


def test_overrides_are_applied_and_recorded(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    overrides = Overrides(
        merge=(("person0--0", "person1--0"),), split=(("person2--0",),), drop=("person3--0", "once--0")
    )
    build_set(folder, tmp_path / "set", options(overrides=overrides))
    found = ReferenceSet.read(tmp_path / "set")
    identity = {target.key: target.identity for target in found.targets}
    assert identity["person0--0"] == identity["person1--2"]
    assert identity["person2--0"] != identity["person2--1"]
    assert "person2--0" not in found["person2--1"].references
    assert not {"person3--0", "once--0"} & identity.keys()
    assert Overrides.model_validate(found.info.settings["overrides"]) == overrides
    assert verify_set(tmp_path / "set").is_valid


def test_near_duplicates_are_left_out_with_a_report_line(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    pixels = patches(0, 0)
    pixels[:4] //= 2
    write_png(photos / "person0" / "nearly.png", pixels)
    report = build_set(photos, tmp_path / "set", options(duplicate_distance=0.005))
    assert [line.reason.partition("(")[0] for line in report.lines] == ["a near duplicate of person0--0 "]


def test_identities_may_come_from_folders(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    build_set(folder, tmp_path / "set", options(identities="folders", threshold=1e-6, min_distance=0.0))
    found = ReferenceSet.read(tmp_path / "set")
    assert len({target.identity for target in found.targets}) == PEOPLE + 1
    assert all(len(t.references) == EACH - 1 for t in found.targets if t.key != "once--0")
    write_png(tmp_path / "loose" / "a.png", patches(0, 0))
    with pytest.raises(FaultListError, match=r"a\.png lies in no folder of a person"):
        build_set(tmp_path / "loose", tmp_path / "other", options(identities="folders"))
