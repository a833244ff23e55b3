"""Submissions: reading and checking them, every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from refbench.errors import RefbenchError
from refbench.images import encode_png
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.submission.submission import check_submission, read_submission, submission_hash
from refbench.records.card import write_card
from refbench.records.protocol import Protocol
from toy_submissions import CARD, GOOD, PIXELS, PNG, write_folder


@pytest.fixture
def protocols() -> dict[str, Protocol]:
    facts = ("dB", (0.0, 80.0), "hq", 2, (), "words", "Apache-2.0", "someone")
    return {"psnr/rgb": Protocol("psnr/rgb", "PSNR (RGB)", True, *facts)}  # type: ignore[arg-type]


def test_a_folder_reads_back(tmp_path: Path) -> None:
    write_folder(tmp_path / "s", {"a.png": PNG, "b.png": PNG, ".DS_Store": b"x", "restore.json": b"{}"})
    write_card(tmp_path / "s", CARD)
    found = read_submission(tmp_path / "s")
    assert found.card == CARD
    assert sorted(found.images) == ["a", "b"]
    assert found.images["a"].read_bytes() == PNG


def test_all_faults_come_at_once_and_alike_ones_in_one_line(tmp_path: Path) -> None:
    bad = {f"f{n:03d}.png": b"" for n in range(300)} | {"c.PNG": PNG, "d.jpg": PNG, "sub/e.png": PNG}
    write_folder(tmp_path / "s", bad | {"submission.yaml": b"team: nobody\n"})
    checked = check_submission(tmp_path / "s")
    text = "\n".join(checked.faults)
    for word in (
        "the file is empty",
        "and 295 more",
        "suffix is not .png",
        "in a subfolder",
        "model is missing",
    ):
        assert word in text
    assert len(checked.faults) < 8
    assert checked.submission is None


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    folder = write_folder(tmp_path / "s", GOOD)
    (folder / "c.png").symlink_to(secret)
    checked = check_submission(folder)
    assert "link" in "\n".join(checked.faults)
    assert checked.submission is not None
    assert "c" not in checked.submission.images


def test_extra_files_are_noted_and_harmless(tmp_path: Path) -> None:
    write_folder(tmp_path / "s", GOOD | {f"note{n}.txt": b"x" for n in range(3000)})
    checked = check_submission(tmp_path / "s")
    assert checked.faults == ()
    assert "2,995 more" in checked.notes[0]


def test_the_set_decides_keys_and_sizes(tmp_path: Path, protocols: dict[str, Protocol]) -> None:
    _, chosen, folders = write_example(tmp_path, protocols, models=1, identities=3, size=24)
    folder = folders[0]
    keys = sorted(target.key for target in chosen.select("test"))
    assert check_submission(folder, chosen).faults == ()
    (folder / f"{keys[0]}.png").unlink()
    (folder / f"{keys[1]}.png").write_bytes(encode_png(PIXELS[:12]))
    (folder / "unknown.png").write_bytes(PNG)
    text = "\n".join(check_submission(folder, chosen).faults)
    assert f"{keys[0]}: the restored image is missing" in text
    assert f"{keys[1]}.png (24x12, wanted 24x24)" in text
    assert "unknown: not a key of this set" in text


def test_nothing_there_and_not_an_archive(tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="no such folder"):
        read_submission(tmp_path / "absent")
    (tmp_path / "s.rar").write_bytes(b"Rar!" + b"\0" * 600)
    with pytest.raises(RefbenchError, match="neither a folder, a zip nor a tar"):
        read_submission(tmp_path / "s.rar")


def test_the_hash_of_a_submission_names_absent_images() -> None:
    assert submission_hash({"a": "1"}, ["b", "a"]) == submission_hash({"a": "1", "z": "9"}, ["a", "b"])
    assert submission_hash({"a": "1"}, ["a", "b"]) != submission_hash({"a": "1"}, ["a"])
