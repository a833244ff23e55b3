"""People and splits that a lab knows: folders of people, train/val/test, a CSV, blind sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from refbench.builders.build import build_set
from refbench.builders.exchange.exchange import export_set
from refbench.builders.rebuild import rebuild_set
from refbench.builders.settings.options import BuildOptions
from refbench.builders.settings.people import read_people
from refbench.builders.verify import verify_set
from refbench.degradations.lq.degrade_set import degrade_set
from refbench.errors import FaultListError, RefbenchError
from refbench.images import write_png
from refbench.records.reference_set import ReferenceSet
from toys import patches

Options = Callable[..., BuildOptions]


def facts(root: Path) -> dict[str, tuple[str, str]]:
    return {t.key: (t.identity, t.split) for t in ReferenceSet.read(root).targets}


@pytest.fixture
def split_folders(tmp_path: Path) -> Path:
    """Photos as ``SPLIT/PERSON/N.png``: two people in train, one each in val and test."""
    photos = tmp_path / "photos"
    for number, (split, person) in enumerate(
        [("train", "Ann Lee"), ("train", "con"), ("val", "Zoë"), ("test", "d/e")]
    ):
        for photo in range(2):
            write_png(photos / split / person / f"{photo}.png", patches(number, photo))
    return photos


def test_split_folders_are_taken_and_names_kept_on_request(
    split_folders: Path, options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    build_set(split_folders, out, options(identities="folders"))
    found = facts(out)
    assert {split for _, split in found.values()} == {"train", "val", "test"}
    assert all(key.startswith(split) for key, (_, split) in found.items())
    assert {name for name, _ in found.values()} == {"p0000", "p0001", "p0002", "p0003"}
    assert "identity_names: given keeps them" in capsys.readouterr().err
    build_set(split_folders, tmp_path / "named", options(identities="folders", identity_names="given"))
    assert {name for name, _ in facts(tmp_path / "named").values()} == {"Ann Lee", "con_", "Zoë", "d_e"}
    assert verify_set(tmp_path / "named").is_valid
    assert "identity_names" not in capsys.readouterr().err
    build_set(split_folders, tmp_path / "drawn", options(identities="folders", splits="drawn", test=0, val=0))
    assert {split for _, split in facts(tmp_path / "drawn").values()} == {"train"}


def test_an_export_in_folders_is_built_to_the_same_people_and_splits(
    split_folders: Path, options: Options, tmp_path: Path
) -> None:
    chosen = options(identities="folders", identity_names="given")
    build_set(split_folders, tmp_path / "set", chosen)
    degrade_set(tmp_path / "set", "refldm-moderate")
    export_set(tmp_path / "set", tmp_path / "out", "folders", recipes="refldm-moderate")
    report = build_set(tmp_path / "out", tmp_path / "again", chosen)
    first, again = facts(tmp_path / "set"), facts(tmp_path / "again")
    assert {f"{split}--{name.replace(' ', '_')}" for name, split in first.values()} >= {"train--Ann_Lee"}
    assert sorted(first.values()) == sorted(again.values())
    assert {line.reason for line in report.lines if line.source.endswith(".png")} == {
        "an LQ image of an export"
    }


def test_a_person_in_two_split_folders_is_told(split_folders: Path, options: Options, tmp_path: Path) -> None:
    shutil.copytree(split_folders / "train" / "con", split_folders / "test" / "con")
    write_png(split_folders / "test" / "con" / "0.png", patches(8, 0))
    write_png(split_folders / "test" / "con" / "1.png", patches(8, 1))
    with pytest.raises(FaultListError, match=r"con is in \w+ too, and may be in one"):
        build_set(split_folders, tmp_path / "set", options(identities="folders"))


def test_given_splits_are_believed_but_not_in_silence(
    split_folders: Path, options: Options, tmp_path: Path
) -> None:
    write_png(split_folders / "test" / "other" / "9.png", patches(0, 5))
    report = build_set(split_folders, tmp_path / "set", options())
    assert any("one person seems to be in the given splits test and train" in w for w in report.warnings)
    assert verify_set(tmp_path / "set").is_valid
    assert facts(tmp_path / "set")["test--other--9"][1] == "test"


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    photos = tmp_path / "flat"
    for number in range(4):
        for photo in range(2):
            write_png(photos / f"img{number}{photo}.png", patches(number, photo))
    return photos


CSV = """\ufeffPhoto;Person;Split
img00.png;Ann;train
img01;Ann;train
img10.png;Bob;test
img11.png;Bob;test
img20.png;Eve;val
"""


def test_a_csv_of_people_and_splits_is_taken(flat: Path, options: Options, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(CSV.encode())
    chosen = options(people=tmp_path / "people.csv", identity_names="given")
    report = build_set(flat, tmp_path / "set", chosen)
    assert facts(tmp_path / "set") == {
        "img00": ("Ann", "train"),
        "img01": ("Ann", "train"),
        "img10": ("Bob", "test"),
        "img11": ("Bob", "test"),
        "img20": ("Eve", "val"),
    }
    left_out = {line.source for line in report.lines if line.reason == "is not in the CSV of people"}
    assert left_out == {"img21.png", "img30.png", "img31.png"}
    settings = ReferenceSet.read(tmp_path / "set").info.settings
    assert len(settings["people"]) == 64
    assert rebuild_set(tmp_path / "set", flat, tmp_path / "a", people=tmp_path / "people.csv").is_same
    with pytest.raises(RefbenchError, match="was built with the CSV of people"):
        rebuild_set(tmp_path / "set", flat, tmp_path / "b")


def test_a_csv_may_give_splits_alone(flat: Path, options: Options, tmp_path: Path) -> None:
    names = [f"img{number}{photo}.png" for number in range(4) for photo in range(2)]
    rows = "".join(f"{name},{'test' if name.startswith('img3') else 'train'}\n" for name in names)
    (tmp_path / "splits.csv").write_text(f"photo,split\n{rows}")
    build_set(flat, tmp_path / "set", options(people=tmp_path / "splits.csv"))
    found = facts(tmp_path / "set")
    assert {key for key, (_, split) in found.items() if split == "test"} == {"img30", "img31"}
    assert len({name for name, _ in found.values()}) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photo\na.png\n", "neither a column person nor a column split"),
        ("photo,persn\na.png,A\n", "no column is called 'persn'; did you mean 'person'"),
        ("photo,person\na.png,A\na.png,B\n", "line 3: a.png is named twice"),
        ("photo,split\na.png,dev\n", "line 2: there is no split 'dev'; train, val, test"),
        ("photo,person\na.png,\n", "line 2: a.png has no person"),
        ("photo,person,split\na,A,train\nb,A,test\n", "line 3: A is in train and in test"),
    ],
)
def test_faults_of_the_csv_are_told_with_lines(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(FaultListError, match=words):
        read_people(tmp_path / "people.csv")


def test_a_name_that_two_photos_have_and_a_csv_of_other_photos_are_told(
    flat: Path, options: Options, tmp_path: Path
) -> None:
    shutil.copytree(flat, tmp_path / "both" / "a")
    write_png(tmp_path / "both" / "b" / "img00.png", patches(9, 9))
    (tmp_path / "people.csv").write_bytes(CSV.encode())
    chosen = options(people=tmp_path / "people.csv")
    with pytest.raises(FaultListError, match=r"img00\.png may be a/img00\.png or b/img00\.png"):
        build_set(tmp_path / "both", tmp_path / "set", chosen)
    (tmp_path / "people.csv").write_text("photo,person\nother.png,A\n")
    with pytest.raises(FaultListError, match="names none of the photos"):
        build_set(flat, tmp_path / "set", chosen)


def test_a_blind_set_needs_no_references(tmp_path: Path, options: Options) -> None:
    for number in range(4):
        write_png(tmp_path / "photos" / f"{number}.png", patches(number, 0))
    report = build_set(tmp_path / "photos", tmp_path / "set", options(max_references=0, test=1.0, val=0))
    found = ReferenceSet.read(tmp_path / "set")
    assert found.is_blind
    assert not any("reference" in warning for warning in report.warnings)
    assert len(found.select("test")) == 4
    assert verify_set(tmp_path / "set").is_valid
    (info,) = degrade_set(tmp_path / "set", "refldm-moderate")
    assert info.images == 4
    build_set(tmp_path / "photos", tmp_path / "usual", options(test=1.0, val=0))
    assert len(ReferenceSet.read(tmp_path / "usual").select("test")) == 0


def test_aligned_photos_that_are_shrunk_are_told(flat: Path, options: Options, tmp_path: Path) -> None:
    report = build_set(flat, tmp_path / "set", options(image_size=64))
    assert (
        "8 of 8 aligned images were shrunk from 128 pixels to 64; image_size keeps more (at most 1024)"
        in (report.warnings)
    )
    assert not any("shrunk" in w for w in build_set(flat, tmp_path / "same", options()).warnings)
    assert "shrunk" in json.dumps(json.loads((tmp_path / "set" / "report.json").read_text())["warnings"])
