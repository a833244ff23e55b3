"""Targets kept as columns behave as a sequence of objects, and are read and written without loss."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refbench.files import sha256_json
from refbench.records import targets as columns
from refbench.records.reference_set import content_hash
from refbench.records.targets import Target, Targets

pytestmark = pytest.mark.core

FIXTURE = Path(__file__).parents[1] / "fixtures" / "v0_1" / "set" / "manifest.parquet"


def made(count: int, seed: int = 0) -> list[Target]:
    """Targets of every kind in order of keys: with and without references, landmarks, quality and HQ."""
    drawn = random.Random(seed)
    keys = [f"k{number:03d}" for number in range(count)]
    found = []
    for number, key in enumerate(keys):
        others = drawn.sample([other for other in keys if other != key], min(drawn.randrange(4), count - 1))
        points = tuple((drawn.random() * 9, drawn.random() * 9) for _ in range(drawn.choice((0, 5))))
        quality = {name: drawn.random() for name in drawn.sample(["sharpness", "yaw", "score"], 2)}
        whole = Target(
            key,
            f"p{number // 3}",
            drawn.choice(("train", "val", "test")),
            f"images/{key}.png",
            f"{number:064x}",
            64 + number,
            64,
            tuple(others),
            tuple(drawn.random() for _ in others),
            points,
            quality if number % 4 else {},
            source=f"ä/{number}.jpg",
            licence=drawn.choice(("CC0", "unknown")),
        )
        real = replace(whole, split="real", hq="", hq_sha256="", lq=f"lq/photos/{key}.png", lq_sha256=key)
        found.append(real if number % 7 == 3 else whole)
    return found


@pytest.fixture(params=[0, 1, 23])
def objects(request: pytest.FixtureRequest) -> list[Target]:
    return made(request.param)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BATCH", 5)
    monkeypatch.setattr(columns, "RECENT", 4)


def test_columns_are_a_sequence_of_the_objects(objects: list[Target]) -> None:
    kept = Targets.of(iter(objects))
    assert isinstance(kept, Sequence)
    assert (len(kept), list(kept), kept) == (len(objects), objects, objects)
    assert [kept[row] for row in range(-len(objects), len(objects))] == objects * 2
    for part in (slice(None), slice(2, 9), slice(-3, None), slice(20, 4), slice(None, None, -2)):
        assert kept[part] == tuple(objects[part])
    with pytest.raises(IndexError, match=f"of {len(objects)} targets"):
        kept[len(objects)]


def test_other_targets_are_not_equal() -> None:
    objects = made(12)
    assert Targets.of(objects) != objects[:-1]
    assert Targets.of(objects) != [*objects[:-1], replace(objects[-1], width=1)]
    assert Targets.of(objects) != Targets.of([replace(objects[0], phash="f"), *objects[1:]])


def test_a_file_gives_back_the_same_targets(objects: list[Target], tmp_path: Path) -> None:
    Targets.of(objects).write(tmp_path / "one.parquet")
    back = Targets.read(tmp_path / "one.parquet")
    assert list(back) == objects
    back.write(tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_what_a_real_photo_lacks_is_missing_in_the_file(tmp_path: Path) -> None:
    objects = made(9)
    Targets.of(objects).write(tmp_path / "t.parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert frame["hq"].isna().tolist() == [not target.has_hq for target in objects]
    assert frame["lq_sha256"].isna().tolist() == [target.has_hq for target in objects]


def test_a_manifest_of_0_1_is_read_as_its_plain_rows() -> None:
    found = Targets.read(FIXTURE)
    rows = pd.read_parquet(FIXTURE).to_dict("records")
    assert len(found) == len(rows) == 6
    for target, row in zip(found, rows, strict=True):
        for name in ("key", "identity", "split", "hq", "hq_sha256", "width", "source", "licence", "phash"):
            assert getattr(target, name) == row[name]
        assert target.references == tuple(row["references"])
        assert target.reference_distances == tuple(row["reference_distances"])
        assert [number for point in target.landmarks for number in point] == row["landmarks"].tolist()
        quality = {name: value for name, value in row.items() if str(name).startswith("quality_")}
        assert {f"quality_{name}": value for name, value in target.quality.items()} == quality
        assert (target.has_hq, target.lq) == (True, "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns=["split", "width"]), "no column split, width"),
        (lambda frame: frame.assign(age=3), "unknown columns age"),
        (lambda frame: frame.assign(width="wide"), "wide"),
        (lambda frame: frame.assign(landmarks=[[1.0]] * len(frame)), "no pairs"),
        (lambda frame: frame.assign(references="a"), "string"),
    ],
)
def test_another_table_is_refused(change: object, words: str, tmp_path: Path) -> None:
    change(pd.read_parquet(FIXTURE)).to_parquet(tmp_path / "t.parquet")  # type: ignore[operator]
    with pytest.raises(ValueError, match=words):
        Targets.read(tmp_path / "t.parquet")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match="Parquet"):
        Targets.read(tmp_path / "t.parquet")


def test_keys_are_found_whatever_their_order(objects: list[Target]) -> None:
    for shuffled in (objects, random.Random(1).sample(objects, len(objects))):
        kept = Targets.of(shuffled)
        assert [kept.find(target.key) for target in shuffled] == list(range(len(shuffled)))
        assert [kept.find(key) for key in ("", "k0005", "z")] == [None] * 3


def test_columns_and_masks(objects: list[Target]) -> None:
    kept = Targets.of(objects)
    assert kept.column("split").tolist() == [target.split for target in objects]
    assert kept.column("width").tolist() == [target.width for target in objects]
    assert kept.has_references().tolist() == [bool(target.references) for target in objects]
    mask = np.array([bool(target.references) for target in objects], dtype=np.bool_)
    assert list(kept.where(mask)) == [target for target in objects if target.references]
    for name in ("references", "age"):
        with pytest.raises(KeyError, match=name):
            kept.column(name)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_the_first_references_are_kept(objects: list[Target], count: int) -> None:
    wanted = [
        replace(t, references=t.references[:count], reference_distances=t.reference_distances[:count])
        for t in objects
    ]
    assert list(Targets.of(objects).with_first_references(count)) == wanted
    part = Targets.of(objects).where(np.arange(len(objects)) % 2 == 1)
    assert list(part.with_first_references(count)) == wanted[1::2]


def test_targets_travel_to_other_processes(objects: list[Target]) -> None:
    assert pickle.loads(pickle.dumps(Targets.of(objects))) == objects


def test_the_content_hash_is_that_of_all_rows_as_canonical_json(objects: list[Target]) -> None:
    rows = [
        [t.key, t.identity, t.split, t.hq_sha256, t.landmarks, list(t.references)]
        + ([] if t.has_hq else [t.lq_sha256])
        for t in objects
    ]
    assert content_hash(objects) == sha256_json(sorted(rows))
    assert content_hash(objects[::-1]) == content_hash(objects)


def test_the_content_hash_depends_on_the_photo_of_a_real_target() -> None:
    objects = made(5)
    real = next(row for row, target in enumerate(objects) if not target.has_hq)
    changed = [*objects[:real], replace(objects[real], lq_sha256="other"), *objects[real + 1 :]]
    assert content_hash(changed) != content_hash(objects)


def test_the_content_hash_of_equal_keys_does_not_depend_on_their_order() -> None:
    twins = [replace(target, key="same") for target in made(3)]
    assert content_hash(twins) == content_hash(twins[::-1])
