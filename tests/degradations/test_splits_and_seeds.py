"""LQ images of several splits and seeds lie side by side; each split keeps the hash that it has alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from refbench.builders.exchange.exchange import import_lq
from refbench.degradations.lq.degrade_set import degrade_set, verify_lq_of_set
from refbench.degradations.lq.options import DegradeOptions
from refbench.errors import RefbenchError
from refbench.models.restoration import restore_set
from refbench.records.ids import lq_folder_name, recipe_and_seed
from refbench.records.lq_set import LqInfo
from refbench.records.reference_set import ReferenceSet
from refbench.records.selection import lq_of, lq_of_hash, require_lq, targets_of
from toys import files_of, write_cartoon_set

RECIPE = "refldm-severe"


def degrade(made: ReferenceSet, split: str, seed: int = 0, recipe: str = RECIPE) -> LqInfo:
    return degrade_set(made.root, [recipe], DegradeOptions(split=split, seed=seed))[0]


@pytest.fixture
def made(tmp_path: Path) -> ReferenceSet:
    return write_cartoon_set(tmp_path / "set", ["test", "test", "val"], 48)


def keys(made: ReferenceSet, split: str) -> set[str]:
    return {target.key for target in targets_of(made, split)}


def test_splits_lie_side_by_side_with_the_hashes_they_have_alone(made: ReferenceSet, tmp_path: Path) -> None:
    other = ReferenceSet.read(shutil.copytree(made.root, tmp_path / "other"))
    alone = {split: degrade(made, split) for split in ("test", "val")}
    folder = made.lq_folder(RECIPE)
    assert {path.stem for path in folder.glob("*.png")} == keys(made, "test") | keys(made, "val")
    assert alone["test"].images == len(keys(made, "test"))
    assert alone["val"].images == len(keys(made, "val"))
    for split, info in alone.items():
        assert lq_of(made, RECIPE, keys(made, split)).lq_hash == info.lq_hash
        require_lq(made, RECIPE, targets_of(made, split))
        (verified,) = verify_lq_of_set(made.root, [RECIPE], split)
        assert len(verified.identical) == info.images
    whole = degrade(made, "all")
    assert LqInfo.read(folder).images == whole.images == len(keys(made, "all"))
    assert lq_of(made, RECIPE, keys(made, "test")).lq_hash == alone["test"].lq_hash
    assert degrade(other, "all").lq_hash == whole.lq_hash
    assert files_of(other.lq_folder(RECIPE)) == files_of(folder)


def test_images_that_the_set_has_no_longer_go(made: ReferenceSet, tmp_path: Path) -> None:
    degrade(made, "val")
    gone = sorted(keys(made, "val"))[0]
    smaller = ReferenceSet(made.root, made.info, [t for t in made.targets if t.key != gone])
    smaller = ReferenceSet(
        made.root,
        made.info,
        [t for t in smaller.targets if gone not in t.references],
    )
    smaller.write()
    degrade(smaller, "test")
    assert not (made.lq_folder(RECIPE) / f"{gone}.png").exists()
    assert gone not in set(pd.read_parquet(made.lq_folder(RECIPE) / "draws.parquet")["key"])


def test_seeds_have_folders_of_their_own(made: ReferenceSet, tmp_path: Path) -> None:
    first, second = degrade(made, "test"), degrade(made, "test", recipe=f"{RECIPE}:7")
    assert (first.seed, second.seed) == (0, 7)
    assert first.lq_hash != second.lq_hash
    assert sorted(path.name for path in (made.root / "lq").iterdir()) == [RECIPE, f"{RECIPE}.seed-7"]
    assert degrade(made, "test", seed=7) == second
    for name, info in ((RECIPE, first), (f"{RECIPE}:7", second), (f"{RECIPE}.seed-7", second)):
        assert lq_of(made, name, keys(made, "test")).lq_hash == info.lq_hash
        out = tmp_path / lq_folder_name(name)
        report = restore_set(made.root, name, "lq-copy", out=out)
        assert not report.failures
    test = keys(made, "test")
    assert lq_of_hash(made, RECIPE, test, lq_hash=second.lq_hash) == f"{RECIPE}.seed-7"
    assert lq_of_hash(made, RECIPE, test, lq_hash=first.lq_hash) == RECIPE
    verify_lq_of_set(made.root, [f"{RECIPE}:7"])
    with pytest.raises(RefbenchError, match="refldm-severe:8"):
        require_lq(made, f"{RECIPE}:8", targets_of(made, "test"))


def test_folders_of_0_1_are_read_and_keep_their_hash(made: ReferenceSet) -> None:
    info = degrade(made, "all", seed=7)
    folder = made.root / "lq" / RECIPE
    made.lq_folder(f"{RECIPE}:7").rename(folder)
    written = json.loads((folder / "lq.json").read_text())
    (folder / "lq.json").write_text(json.dumps(written | {"schema_version": 1}))
    assert made.lq_folder(f"{RECIPE}:7") == folder
    assert lq_of(made, RECIPE, keys(made, "test")).lq_hash == info.lq_hash
    assert degrade(made, "all", seed=7).lq_hash == info.lq_hash
    assert LqInfo.read(folder).schema_version == 1
    assert not (made.root / "lq" / f"{RECIPE}.seed-7").exists()
    with pytest.raises(RefbenchError, match=f"rename that folder to {RECIPE}.seed-7"):
        degrade(made, "test")
    with pytest.raises(RefbenchError, match=f"of seed 7, not 0; rename it to {RECIPE}.seed-7"):
        require_lq(made, f"{RECIPE}:0", targets_of(made, "test"))


def test_imported_splits_lie_side_by_side_too(made: ReferenceSet, tmp_path: Path) -> None:
    for split in ("test", "val"):
        degrade(made, split)
        source = tmp_path / split
        source.mkdir()
        for key in keys(made, split):
            shutil.copy(made.lq_path(RECIPE, key), source / f"{key}.png")
        told = import_lq(made.root, source, "official", split=split)
        assert told.lq_hash == lq_of(made, RECIPE, keys(made, split)).lq_hash
    assert LqInfo.read(made.lq_folder("official")).images == len(keys(made, "all"))
    with pytest.raises(RefbenchError, match="were imported before"):
        import_lq(made.root, tmp_path / "val", "official", split="val")
    with pytest.raises(RefbenchError, match="is not empty"):
        import_lq(made.root, tmp_path / "val", RECIPE, split="val")


@pytest.mark.parametrize(
    ("text", "name", "seed"),
    [("r", "r", None), ("r:7", "r", 7), ("r.seed-7", "r", 7), ("r:0", "r", 0), ("m:NAME", "m:NAME", None)],
)
def test_recipes_with_a_seed(text: str, name: str, seed: int | None) -> None:
    assert recipe_and_seed(text) == (name, seed)
    assert lq_folder_name(text) == (f"{name}.seed-{seed}" if seed else name)
