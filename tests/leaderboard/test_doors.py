"""What is told at the doors: cards not filled in, other formats, swapped folders, folders of submissions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import refbench as rb
from PIL import Image
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.leaderboard.commands import flag
from refbench.leaderboard.organise_commands import check
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.store.store import Store
from refbench.leaderboard.submission.submission import check_submission, submission_paths
from refbench.records.card import Card, write_card
from refbench.records.reference_set import ReferenceSet
from toys import noisy_copies, write_noise_set


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, two submissions below ``runs``, and a store with their records."""
    root = tmp_path_factory.mktemp("doors")
    chosen = write_noise_set(root / "set")
    for seed, name in enumerate(("one", "two")):
        noisy_copies(chosen, root / "runs" / name, seed)
        write_card(root / "runs" / name, Card(model=name))
    rb.score(
        root / "set",
        "dim",
        [root / "runs" / "one", root / "runs" / "two"],
        root / "store",
        protocols="psnr/rgb",
    )
    return root


@pytest.fixture
def given(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "runs" / "one", tmp_path / "given"))


def test_a_card_that_nobody_filled_in_is_refused(made: Path, given: Path, tmp_path: Path) -> None:
    write_card(given, Card(model="My model"))
    (fault,) = check_submission(given, ReferenceSet.read(made / "set")).faults
    assert "the model is still 'My model'" in fault
    with pytest.raises(FaultListError, match="the model is still 'My model'"):
        rb.score(made / "set", "dim", given, tmp_path / "store", protocols="psnr/rgb")


@pytest.mark.parametrize("suffix", ["jpg", "webp", "bmp"])
def test_other_formats_are_refused_with_the_reason_by_check_and_score(
    made: Path, given: Path, tmp_path: Path, suffix: str
) -> None:
    for path in given.glob("*.png"):
        Image.open(path).save(path.with_suffix(f".{suffix}"))
        path.unlink()
    told = "\n".join(check_submission(given, ReferenceSet.read(made / "set")).faults)
    assert "not a PNG; save the restorer's output as PNG" in told
    assert "rename" not in told
    with pytest.raises(FaultListError, match="not a PNG; save the restorer's output as PNG"):
        rb.score(made / "set", "dim", given, tmp_path / "store", protocols="psnr/rgb")


def test_the_check_names_only_recipes_that_the_set_has(
    made: Path, given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [made / "set", given]
    check(paths)
    assert f"refbench score {made / 'set'} {given} --recipe dim --store STORE" in capsys.readouterr().out
    with pytest.raises(FaultListError, match="no LQ images of the recipe 'bright'; it has LQ images of dim"):
        check(paths, recipe="bright")


def test_folders_of_submissions_are_taken_whole(made: Path, tmp_path: Path) -> None:
    runs = made / "runs"
    assert submission_paths(runs) == [runs / "one", runs / "two"]
    assert submission_paths(runs / "one") == [runs / "one"]
    for name in ("one", "two"):
        shutil.make_archive(str(tmp_path / "packed" / name), "zip", runs / name)
    assert [path.name for path in submission_paths(tmp_path / "packed")] == ["one.zip", "two.zip"]
    page = publish_site(made / "store", tmp_path / "site", made / "set", submissions=runs)
    pictures = tmp_path / "site" / "pictures"
    assert {path.parent.name for path in pictures.rglob("*.webp")} >= {"one@1", "two@1"}
    assert page.is_file()


def test_a_set_and_a_store_in_each_others_place_are_told(made: Path, tmp_path: Path) -> None:
    words = r"the store comes first: refbench publish STORE SET SUBMISSION"
    with pytest.raises(RefbenchError, match=rf"is a reference set, not a store of records; {words}"):
        rb.publish(made / "set", tmp_path / "site", made / "set")
    with pytest.raises(InvalidInputError, match=rf"is a store of records, not a submission; {words}"):
        rb.publish(made / "store", tmp_path / "site", submissions=[made / "store"])
    with pytest.raises(RefbenchError, match="is a reference set, not a store"):
        flag(made / "set", made / "set", [made / "runs"])
    assert not (tmp_path / "site").exists()
    assert len(Store(made / "store").stored()) == 2
