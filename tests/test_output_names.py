"""Images named as other tools name them: a pattern that is given, a guess that is told, equal scores."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import refbench as rb
from refbench.errors import FaultListError, InvalidInputError
from refbench.leaderboard.integrity.flagging import match_submissions
from refbench.leaderboard.store.store import Store
from refbench.leaderboard.submission.submission import check_submission, read_submission
from refbench.output_names import OutputNames, guess_names, guess_note
from refbench.records.card import Card, write_card
from refbench.records.reference_set import ReferenceSet
from toys import files_of, noisy_copies, write_noise_set

KEYS = ("1", "11", "a_00", "b")


@pytest.mark.parametrize(
    ("pattern", "stem", "key"),
    [
        ("{key}_00.png", "a_00", "a"),
        ("{key}_00", "a_00_00", "a_00"),
        ("out_{key}.png", "out_a", "a"),
        ("{key}_00.png", "_00", None),
        ("{key}_00.png", "a_01", None),
        ("x{key}y", "xy", None),
    ],
)
def test_a_pattern_tells_the_key(pattern: str, stem: str, key: str | None) -> None:
    assert OutputNames.parse(pattern).key_of(stem) == key


@pytest.mark.parametrize(
    "pattern", ["KEY_00.png", "{key}{key}", "a/{key}.png", "{name}_{key}", "{key}\\x", ""]
)
def test_a_pattern_without_one_key_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInputError, match="wanted names with one"):
        OutputNames.parse(pattern)


def test_a_guess_needs_every_name_and_no_key(tmp_path: Path) -> None:
    def guess(*stems: str) -> str:
        return str(guess_names(stems, KEYS) or "")

    assert guess("1_x", "11_x", "b_x") == "{key}_x.png"
    assert guess("11_x") == "{key}_x.png"
    assert guess("out_a_00_00", "out_b_00") == "out_{key}_00.png"
    assert guess("1_x", "11_y") == ""
    assert guess("1_x", "c_x") == ""
    assert guess("b", "b_x") == "", "a file that is named KEY.png needs no guess"
    assert guess() == ""
    told = guess_note(OutputNames(suffix="_00"), 43)
    assert told == "all 43 files end in _00, so they are read as {key}_00.png"


@pytest.fixture
def scene(tmp_path: Path) -> tuple[ReferenceSet, Path, Path]:
    """A set, a submission of plain names, and the same images as another tool names them."""
    chosen = write_noise_set(tmp_path / "set")
    plain = tmp_path / "plain"
    noisy_copies(chosen, plain)
    write_card(plain, Card(model="Mine"))
    tool = tmp_path / "tool"
    shutil.copytree(plain, tool)
    for path in tool.glob("*.png"):
        path.rename(path.with_name(f"{path.stem}_00.png"))
    return chosen, plain, tool


def test_the_check_reads_them_and_tells_the_guess(scene: tuple[ReferenceSet, Path, Path]) -> None:
    chosen, plain, tool = scene
    count = len(list(tool.glob("*.png")))
    wanted = check_submission(plain, chosen).submission
    guessed, given = check_submission(tool, chosen), check_submission(tool, chosen, names="{key}_00.png")
    assert wanted is not None
    for found in (guessed, given):
        assert found.faults == ()
        assert found.submission is not None
        assert found.submission.images.keys() == wanted.images.keys()
    assert guessed.notes == (f"all {count} files end in _00, so they are read as {{key}}_00.png",)
    assert given.notes == ()
    shutil.copyfile(next(tool.glob("*.png")), tool / "overview.png")
    (fault,) = check_submission(tool, chosen, names="{key}_00").faults
    assert fault.startswith("overview.png: not named {key}_00.png")
    assert any("not a key of this set" in fault for fault in check_submission(tool, chosen).faults)


def test_scores_are_those_of_plain_names_and_the_site_finds_the_images(
    scene: tuple[ReferenceSet, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, plain, tool = scene
    (one,) = rb.score(chosen.root, "dim", plain, tmp_path / "a", protocols="psnr/rgb")
    (two,) = rb.score(chosen.root, "dim", tool, tmp_path / "b", protocols="psnr/rgb")
    assert "end in _00, so they are read as {key}_00.png" in capsys.readouterr().err
    (three,) = rb.score(chosen.root, "dim", tool, tmp_path / "c", protocols="psnr/rgb", names="{key}_00.png")
    assert files_of(tmp_path / "a", "record.json") == files_of(tmp_path / "c", "record.json")
    assert one.scores.equals(two.scores)
    assert one.info == two.info == three.info
    matched, unmatched = match_submissions(Store(tmp_path / "a").stored(), [read_submission(tool)])
    assert unmatched == []
    assert next(iter(matched.values())).images.keys() == read_submission(plain).images.keys()
    with pytest.raises(FaultListError, match="not named out_"):
        rb.score(chosen.root, "dim", tool, tmp_path / "d", protocols="psnr/rgb", names="out_{key}")


def test_a_folder_of_another_tool_is_a_model(
    scene: tuple[ReferenceSet, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, plain, tool = scene
    rb.restore(chosen.root, "dim", str(plain), tmp_path / "p")
    rb.restore(chosen.root, "dim", str(tool), tmp_path / "t")
    assert "end in _00" in capsys.readouterr().err
    assert files_of(tmp_path / "t", "*.png") == files_of(tmp_path / "p", "*.png")
    rb.restore(chosen.root, "dim", str(tool), tmp_path / "n", names="{key}_00.png")
    assert files_of(tmp_path / "n", "*.png") == files_of(tmp_path / "p", "*.png")
    with pytest.raises(InvalidInputError, match="is none"):
        rb.restore(chosen.root, "dim", "classical", tmp_path / "x", names="{key}_00.png")
