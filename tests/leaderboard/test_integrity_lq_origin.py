"""Where a submission was restored from: refused where restore.json knows, warned where the images look so."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest
import refbench as rb
from refbench.errors import InvalidInputError
from refbench.leaderboard.integrity.lq_origin import check_lq_origin, guess_recipe
from refbench.leaderboard.submission.submission import read_submission
from refbench.records.reference_set import ReferenceSet

MODERATE, SEVERE = "refldm-moderate", "refldm-severe"
PEOPLE = Path(str(resources.files("refbench.samples"))) / "people"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of six small faces with LQ images of two recipes, and `classical` run on those of one."""
    root = tmp_path_factory.mktemp("origin")
    for name in ("001_neutral", "001_smiling", "002_neutral", "002_smiling", "003_neutral", "003_smiling"):
        (root / "photos" / name[:3]).mkdir(parents=True, exist_ok=True)
        shutil.copy(PEOPLE / f"{name}.jpg", root / "photos" / name[:3])
    rb.build(
        root / "photos", root / "set", aligned=True, identities="folders", image_size=128, val=0, test=1.0
    )
    rb.degrade(root / "set", [MODERATE, SEVERE])
    rb.restore(root / "set", SEVERE, "classical", root / "severe")
    return root


@pytest.fixture
def submission(scene: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scene / "severe", tmp_path / "submission"))


def check(scene: Path, folder: Path, recipe: str, *, mode: str = "all") -> None:
    reference_set = ReferenceSet.read(scene / "set")
    check_lq_origin(reference_set, recipe, read_submission(folder), mode=mode, split="test")


def test_a_known_other_recipe_is_refused(scene: Path, submission: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match=r"6 of 6 images .*: 6 from refldm-severe .*--recipe refldm-severe"
    ):
        rb.score(scene / "set", MODERATE, submission, tmp_path / "store", protocols="psnr/rgb")
    assert not list((tmp_path / "store").rglob("record.json"))


def test_the_right_recipe_is_silent(
    scene: Path, submission: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(scene, submission, SEVERE)
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["1", "0", "wrong"])
def test_the_references_of_every_evaluation_mode_are_known(
    scene: Path, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    references = mode if mode == "wrong" else int(mode)
    rb.restore(
        scene / "set", SEVERE, "reference-copy", tmp_path / "out", references=references
    ) if mode != "0" else (rb.restore(scene / "set", SEVERE, "classical", tmp_path / "out", references=0))
    capsys.readouterr()
    check(scene, tmp_path / "out", SEVERE, mode=mode)
    assert "warning" not in capsys.readouterr().err
    with pytest.raises(InvalidInputError, match="6 of 6 images"):
        check(scene, tmp_path / "out", MODERATE, mode=mode)


def test_without_restore_json_likeness_warns(
    scene: Path, submission: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (submission / "restore.json").unlink()
    check(scene, submission, SEVERE)
    assert "warning" not in capsys.readouterr().err
    check(scene, submission, MODERATE)
    assert "look restored from LQ images of 'refldm-severe'" in capsys.readouterr().err


def test_hq_itself_looks_like_no_recipe(scene: Path) -> None:
    reference_set = ReferenceSet.read(scene / "set")
    targets = reference_set.select("test")
    images = {target.key: reference_set.hq_path(target.key) for target in targets}
    assert guess_recipe(reference_set, [MODERATE, SEVERE], images, targets=targets) == ""
    for recipe in (MODERATE, SEVERE):
        images = {target.key: reference_set.lq_path(recipe, target.key) for target in targets}
        assert guess_recipe(reference_set, [MODERATE, SEVERE], images, targets=targets) == recipe
