"""`to_dataset()`: rows equal the Parquet export, pictures stay on disk until their row is read."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refbench.builders.exchange.exchange import export_set
from refbench.builders.verify import verify_set
from refbench.errors import RefbenchError
from refbench.extras import MissingPackageError
from refbench.files import sha256_file
from refbench.images import read_rgb
from refbench.records import datasets as module
from refbench.records.lq_set import LqInfo, lq_dataset, read_rows
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet, content_hash
from toys import write_cartoon_set

datasets = pytest.importorskip("datasets")
OLD = Path(__file__).parents[1] / "fixtures" / "v0_1"
RECIPE = "refldm-moderate"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ReferenceSet:
    """The set of the fixture with one more target: a real photo."""
    root = Path(shutil.copytree(OLD / "set", tmp_path_factory.mktemp("sets") / "set"))
    old = ReferenceSet.read(root)
    first = old.targets[0]
    path = root / "lq" / "photos" / "zz.png"
    path.parent.mkdir()
    shutil.copyfile(root / first.hq, path)
    photo = replace(
        first,
        key="zz",
        split="real",
        hq="",
        hq_sha256="",
        lq="lq/photos/zz.png",
        lq_sha256=sha256_file(path),
        references=(first.key,),
        reference_distances=(0.2,),
    )
    targets = [*old.targets, photo]
    info = old.info.model_copy(update={"content_hash": content_hash(targets)})
    ReferenceSet(root, info, targets).write()
    assert verify_set(root).faults == ()
    return ReferenceSet.read(root)


def on_disk(value: Any) -> Any:
    """A stored picture, or a list of them, with the bytes that its path names."""
    if isinstance(value, list):
        return [on_disk(one) for one in value]
    if isinstance(value, dict):
        path = Path(value["path"])
        return {"bytes": value["bytes"] or path.read_bytes(), "path": path.name}
    return value


def rows(loaded: Any) -> Iterator[dict[str, Any]]:
    for row in loaded.with_format("arrow"):
        yield {name: on_disk(value) for name, value in row.to_pylist()[0].items()}


@pytest.mark.parametrize("with_references", [True, False])
def test_a_set_equals_its_parquet_export_row_by_row(
    found: ReferenceSet, tmp_path: Path, with_references: bool
) -> None:
    export_set(found.root, tmp_path / "out", recipes=[RECIPE], with_references=with_references)
    files = {split: str(tmp_path / "out" / "data" / f"{split}-*.parquet") for split in found.splits()}
    exported = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    made = found.to_dataset([RECIPE], with_references=with_references)
    assert set(made) == set(exported) == {"test", "real"}
    for split, loaded in made.items():
        assert loaded.features == exported[split].features
        assert list(rows(loaded)) == list(rows(exported[split]))
        assert len(loaded) > 0


def test_pictures_are_decoded_when_their_row_is_read(found: ReferenceSet) -> None:
    made = found.to_dataset([RECIPE])
    key = made["test"][0]["key"]
    row = made["test"][0]
    assert np.array_equal(np.asarray(row["hq"]), read_rgb(found.hq_path(key)))
    assert np.array_equal(np.asarray(row[f"lq_{RECIPE}"]), read_rgb(found.lq_path(RECIPE, key)))
    assert len(row["references"]) == len(row["reference_keys"]) > 0
    real = made["real"][0]
    assert (real["hq"], real[f"lq_{RECIPE}"]) == (None, None)
    assert np.array_equal(np.asarray(real["lq"]), read_rgb(found.root / "lq" / "photos" / "zz.png"))
    assert isinstance(made["test"].features["references"], datasets.List)


def test_making_a_data_set_opens_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    toy = write_cartoon_set(tmp_path / "set", ["train", "test"])
    for path in (tmp_path / "set" / "images").glob("*.png"):
        path.unlink()
    made = toy.to_dataset()
    assert [made[split].num_rows for split in ("train", "test")] == [2, 2]
    with pytest.raises(FileNotFoundError):
        made["train"][0]
    assert "lq" not in made["train"].features


def test_lq_images_of_no_such_recipe_are_told(found: ReferenceSet) -> None:
    with pytest.raises(RefbenchError, match="no LQ images of 'severe'; make them with: refbench degrade"):
        found.to_dataset(["severe"])


def test_an_lq_folder(found: ReferenceSet) -> None:
    folder = found.lq_folder(RECIPE)
    made = lq_dataset(folder)["lq"]
    stored = read_rows(folder)
    assert made["key"][:] == [row.key for row in stored]
    assert [json.loads(text) for text in made["draws"]] == [row.record for row in stored]
    assert np.array_equal(np.asarray(made[0]["lq"]), read_rgb(folder / f"{stored[0].key}.png"))
    assert LqInfo.model_validate_json(made.info.description) == LqInfo.read(folder)


def test_a_record() -> None:
    (folder,) = (path.parent for path in (OLD / "store").glob("*/*/record.json"))
    record = Record.read(folder)
    scores = record.scores.copy()
    scores.loc[0, ["value", "reason"]] = [float("nan"), "no face"]
    made = replace(record, scores=scores).to_dataset()["scores"]
    assert made.num_rows == len(scores)
    assert (made[0]["value"], made[0]["reason"]) == (None, "no face")
    assert made["value"][1:] == scores["value"].tolist()[1:]
    assert json.loads(made.info.description)["benchmark"]["name"] == record.info.benchmark.name


def test_without_the_package_the_command_is_told(
    found: ReferenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    told = r"to_dataset\(\) needs the package datasets.*refbench\[hub\]"
    with pytest.raises(MissingPackageError, match=told):
        found.to_dataset()
