"""The reference set: schema versions, folders of images, splits, and targets without HQ."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from refbench.builders.exchange.exchange import export_set
from refbench.builders.exchange.parquet import read_parquet
from refbench.builders.verify import verify_set
from refbench.errors import RefbenchError
from refbench.files import sha256_file
from refbench.images import write_png
from refbench.records import reference_set as module
from refbench.records.reference_set import ReferenceSet, SetInfo, Target, content_hash, image_path
from toys import bare_target, noise, write_cartoon_set

pytestmark = pytest.mark.core

OLD = Path(__file__).parents[1] / "fixtures" / "v0_1" / "set"


def rewritten(found: ReferenceSet, root: Path, targets: Sequence[Target]) -> ReferenceSet:
    info = found.info.model_copy(update={"content_hash": content_hash(targets)})
    ReferenceSet(root, info, targets).write()
    return ReferenceSet.read(root)


@pytest.fixture
def real_set(tmp_path: Path) -> ReferenceSet:
    """Two people with two images each, and a real photo of the first one."""
    found = write_cartoon_set(tmp_path / "set", ["train", "test"])
    path = found.root / "lq" / "photos" / "zz_old.png"
    write_png(path, noise(9))
    first = found.targets[0]
    photo = bare_target(
        "zz_old",
        identity=first.identity,
        split="real",
        hq="",
        hq_sha256="",
        references=(first.key,),
        reference_distances=(0.3,),
        width=24,
        height=24,
        lq="lq/photos/zz_old.png",
        lq_sha256=sha256_file(path),
    )
    targets = sorted([*found.targets, photo], key=lambda target: target.key)
    return rewritten(found, found.root, targets)


def test_a_set_of_0_1_is_written_as_schema_2_with_the_same_content(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "set")
    found = ReferenceSet.read(tmp_path / "set")
    assert found.info.schema_version == 1
    found.write()
    again = ReferenceSet.read(tmp_path / "set")
    said = json.loads((tmp_path / "set" / "set.json").read_text("utf-8"))
    assert (again.info.schema_version, said["schema_version"], said["image_folder_digits"]) == (2, 2, 0)
    assert again.info.content_hash == found.info.content_hash == content_hash(again.targets)
    assert again.targets == found.targets
    assert verify_set(tmp_path / "set").is_valid


@pytest.mark.parametrize("said", ['{"schema_version": 3}', "[]", "no JSON"])
def test_another_set_json_is_refused(said: str, tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "set")
    (tmp_path / "set" / "set.json").write_text(said)
    with pytest.raises(RefbenchError, match=r"set\.json is not readable"):
        ReferenceSet.read(tmp_path / "set")


@pytest.mark.parametrize("name", ["set.json", "manifest.parquet"])
def test_a_folder_that_is_no_set_is_told_with_the_command(name: str, tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "set")
    (tmp_path / "set" / name).unlink()
    with pytest.raises(RefbenchError, match=f"it has no {name}; make one with: refbench build"):
        ReferenceSet.read(tmp_path / "set")


def test_images_of_large_sets_lie_in_folders_of_two_hex_digits() -> None:
    assert image_path("a", 0) == "images/a.png"
    assert image_path("a", 2) == "images/ca/a.png"
    assert module.image_folder_digits(module.MANY_IMAGES) == 0
    assert module.image_folder_digits(module.MANY_IMAGES + 1) == 2


def test_splits_come_in_their_order_and_only_if_they_have_targets(real_set: ReferenceSet) -> None:
    assert real_set.splits() == ("train", "test", "real")
    assert [target.key for target in real_set.select("real")] == ["zz_old"]
    assert len(real_set.select()) == len(real_set.targets) == 5
    assert len(real_set.select("all", with_references=False)) == 5
    assert len(real_set.select("val")) == 0


def test_a_real_photo_has_no_hq(real_set: ReferenceSet) -> None:
    assert verify_set(real_set.root).faults == ()
    with pytest.raises(RefbenchError, match="zz_old is a real photo: it has no HQ image"):
        real_set.hq_path("zz_old")
    assert real_set.reference_paths("zz_old") == (real_set.hq_path(real_set["zz_old"].references[0]),)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "test"}, "zz_old: its split 'test' is none of real"),
        ({"lq_sha256": ""}, "zz_old: it has neither an HQ image nor"),
        ({"lq": ""}, "zz_old: it has neither an HQ image nor"),
        ({"lq": "../zz_old.png"}, "lies outside the set"),
        ({"lq_sha256": "0" * 64}, "lq/photos/zz_old.png: has the hash"),
    ],
)
def test_faults_of_a_real_photo_are_told(real_set: ReferenceSet, change: dict[str, str], words: str) -> None:
    targets = [replace(t, **change) if t.key == "zz_old" else t for t in real_set.targets]  # type: ignore[arg-type]
    rewritten(real_set, real_set.root, targets)
    assert any(words in fault for fault in verify_set(real_set.root).faults)


def test_a_real_photo_is_nobody_s_reference(real_set: ReferenceSet) -> None:
    first = real_set.targets[0]
    wrong = replace(first, references=("zz_old",), reference_distances=(0.3,))
    rewritten(real_set, real_set.root, [wrong, *real_set.targets[1:]])
    assert any("zz_old is a real photo" in fault for fault in verify_set(real_set.root).faults)


def test_an_image_in_another_folder_than_stated_is_a_fault(real_set: ReferenceSet) -> None:
    (real_set.root / "images" / "x").mkdir()
    first = real_set.targets[0]
    shutil.move(real_set.root / first.hq, real_set.root / "images" / "x" / f"{first.key}.png")
    moved = replace(first, hq=f"images/x/{first.key}.png")
    rewritten(real_set, real_set.root, [moved, *real_set.targets[1:]])
    (fault,) = verify_set(real_set.root).faults
    assert fault == f"{first.key}: its image is {moved.hq}; set.json states {first.hq}"


def test_real_photos_travel_through_parquet(real_set: ReferenceSet, tmp_path: Path) -> None:
    info = SetInfo.model_validate(
        real_set.info.model_dump() | {"counts": {"images": 5, "identities": 2, "images_with_references": 5}}
    )
    ReferenceSet(real_set.root, info, real_set.targets).write()
    export_set(real_set.root, tmp_path / "out")
    back = read_parquet(tmp_path / "out", tmp_path / "back")
    kept = [replace(target, source="", quality={}) for target in real_set.targets]
    assert list(back.targets) == kept
    assert verify_set(back.root).is_valid


def test_real_photos_are_part_of_shards_and_folders(real_set: ReferenceSet, tmp_path: Path) -> None:
    tars = export_set(real_set.root, tmp_path / "tars", "webdataset")
    assert [path.name for path in tars] == ["train-00000.tar", "test-00000.tar", "real-00000.tar"]
    folders = export_set(real_set.root, tmp_path / "folders", "folders")
    (photo,) = [path for path in folders if path.parts[-3] == "real"]
    assert photo.read_bytes() == (real_set.root / "lq" / "photos" / "zz_old.png").read_bytes()


def test_a_set_can_be_made_of_a_generator(real_set: ReferenceSet) -> None:
    made = ReferenceSet(real_set.root, real_set.info, (target for target in real_set.targets))  # type: ignore[arg-type]
    assert made == real_set
    assert np.array_equal(made.columns.column("key"), real_set.columns.column("key"))
