"""Build: people found, resumed and repeated builds, folders and options that cannot be used."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from refbench.builders.build import build_set
from refbench.builders.photos import photos as work
from refbench.builders.photos.photo_cache import PhotoResult
from refbench.builders.settings.options import BuildOptions
from refbench.builders.settings.overrides import Overrides
from refbench.builders.verify import verify_set
from refbench.errors import RefbenchError
from refbench.records.reference_set import ReferenceSet
from toys import EACH, PEOPLE, files_of


def test_images_are_grouped_by_person(built: Path) -> None:
    found = ReferenceSet.read(built)
    who = {target.key: target.source.split("/")[0] for target in found.targets}
    assert len(found.targets) == PEOPLE * EACH + 1
    for target in found.targets:
        assert {who[key] for key in target.references} <= {who[target.key]}
        assert len(target.references) == (EACH - 1 if who[target.key] != "once" else 0)
        assert list(target.reference_distances) == [round(d, 6) for d in target.reference_distances]
    assert len({target.identity for target in found.targets}) == PEOPLE + 1
    assert found["once--0"].split == "train"
    for name in set(who.values()):
        assert len({target.split for target in found.targets if who[target.key] == name}) == 1
    assert found.info.counts["test_identities"] == PEOPLE // 2
    assert found.info.licence == found.targets[0].licence == "CC0"


def test_a_built_set_is_valid_and_what_is_read_of_it_is_written_in_the_same_bytes(
    built: Path, tmp_path: Path
) -> None:
    assert verify_set(built).is_valid
    found = ReferenceSet.read(built)
    copy = Path(shutil.copytree(built, tmp_path / "copy"))
    for name in ("manifest.parquet", "set.json"):
        (copy / name).unlink()
    replace(found, root=copy).write()
    for name in ("manifest.parquet", "set.json"):
        assert (copy / name).read_bytes() == (built / name).read_bytes(), name
    assert [target.key for target in found.targets] == sorted(path.stem for path in built.glob("images/*"))


def test_embeddings_are_in_the_order_of_the_manifest(built: Path) -> None:
    found = ReferenceSet.read(built)
    vectors = np.load(built / "embeddings.npy")
    assert vectors.shape == (len(found.targets), 192)
    row = {target.key: number for number, target in enumerate(found.targets)}
    for target in found.targets:
        own = [1.0 - float(vectors[row[target.key]] @ vectors[row[key]]) for key in target.references]
        assert target.reference_distances == pytest.approx(own, abs=2e-6)


def test_any_number_of_workers_gives_the_same_bytes(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    build_set(folder, tmp_path / "one", options(workers=1))
    build_set(folder, tmp_path / "two", options(workers=2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_second_run_reuses_everything_and_changes_nothing(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    first = build_set(folder, tmp_path / "set", options())
    before, times = files_of(tmp_path / "set"), (tmp_path / "set" / "set.json").stat().st_mtime_ns
    second = build_set(folder, tmp_path / "set", options())
    assert (first.reused, first.changed) == (0, True)
    assert (second.reused, second.changed) == (PEOPLE * EACH + 1, False)
    assert files_of(tmp_path / "set") == before
    assert (tmp_path / "set" / "set.json").stat().st_mtime_ns == times


def test_an_interrupted_build_resumes_and_writes_the_same_bytes(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_set(folder, tmp_path / "uninterrupted", options())
    done = 0
    examine = work._process

    def killed(*given: object, **named: object) -> PhotoResult:
        nonlocal done
        done += 1
        if done == 8:
            raise KeyboardInterrupt
        return examine(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "_process", killed)
    with pytest.raises(KeyboardInterrupt):
        build_set(folder, tmp_path / "interrupted", options())
    assert not (tmp_path / "interrupted" / "set.json").exists()
    monkeypatch.setattr(work, "_process", examine)
    assert build_set(folder, tmp_path / "interrupted", options()).reused == 7
    assert files_of(tmp_path / "interrupted") == files_of(tmp_path / "uninterrupted")


def test_a_folder_without_a_usable_face_leaves_nothing_behind(
    options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "text.png").write_text("no picture")
    with pytest.raises(RefbenchError, match=r"text\.png: not a picture"):
        build_set(photos, tmp_path / "set", options())
    assert not (tmp_path / "set").exists()
    (photos / "text.png").unlink()
    with pytest.raises(RefbenchError, match="no face can be used of 0"):
        build_set(photos, tmp_path / "set", options())


def test_unusable_folders_are_refused_before_anything_is_written(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for photos, out, words in (
        (folder, folder, "contain one another"),
        (folder, folder / "set", "contain one another"),
        (folder, folder.parent, "contain one another"),
        (folder, mine, "holds other files"),
        (folder, mine / "thesis.txt", "is a file"),
        (tmp_path / "absent", tmp_path / "set", "not a folder"),
    ):
        with pytest.raises(RefbenchError, match=words):
            build_set(photos, out, options())
    assert files_of(mine) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"recogniser": "nobody"}, "no recogniser of that name"),
        ({"threshold": None}, "no measured threshold"),
        ({"min_distance": 0.3}, "not under the threshold"),
        ({"overrides": Overrides(drop=("nobody",))}, "no image has the key 'nobody'"),
    ],
)
def test_contradictory_options_are_refused(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path, chosen: dict[str, object], words: str
) -> None:
    with pytest.raises(RefbenchError, match=words):
        build_set(folder, tmp_path / "set", options(**chosen))
    assert not (tmp_path / "set" / "set.json").exists()


def test_an_earlier_set_is_replaced_and_its_images_removed(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "set"
    shutil.copytree(folder, photos)
    build_set(photos, out, options())
    shutil.rmtree(photos / "person5")
    report = build_set(photos, out, options())
    assert report.changed
    assert report.reused == report.counts["photos"] == PEOPLE * EACH + 1 - EACH
    assert verify_set(out).is_valid
    assert not (out / "images" / "person5--0.png").exists()
