"""`refbench measure`: metrics of two images or two folders, without a set and without a record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from refbench.cli import app
from refbench.errors import FaultListError, RefbenchError
from refbench.images import write_png
from refbench.metrics.file_measures import measure_files
from typer.testing import CliRunner, Result


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two images of 16 x 16, and the same with one level and four levels more."""
    for number, more in ((1, 1), (2, 4)):
        hq = np.random.default_rng(number).integers(0, 200, (16, 16, 3)).astype(np.uint8)
        write_png(tmp_path / "hq" / f"{number}.png", hq)
        write_png(tmp_path / "restored" / f"{number}.png", hq + np.uint8(more))
    return tmp_path / "restored", tmp_path / "hq"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["measure", *map(str, words)])


def test_psnr_of_folders_is_the_mean_over_images_paired_by_name(folders: tuple[Path, Path]) -> None:
    (found,) = measure_files(*folders, protocols=["psnr/rgb"])
    expected = {str(n): 20 * np.log10(255 / more) for n, more in ((1, 1), (2, 4))}
    assert found.values == pytest.approx(expected, rel=1e-6)
    assert found.value == pytest.approx(np.mean([*expected.values()]), rel=1e-6)
    assert found.unscored == 0


def test_two_images_are_a_pair_whatever_their_names(folders: tuple[Path, Path]) -> None:
    done = run(folders[0] / "1.png", folders[1] / "1.png", "-p", "psnr/rgb", "--json")
    assert done.exit_code == 0, done.exception
    (row,) = json.loads(done.stdout)
    assert row["value"] == pytest.approx(20 * np.log10(255), rel=1e-6)
    assert (row["protocol"], row["unit"], row["higher_is_better"]) == ("psnr/rgb", "dB", True)
    assert list(row["images"]) == ["1"]


def test_the_table_has_a_line_a_protocol(folders: tuple[Path, Path]) -> None:
    done = run(*folders)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["psnr/rgb", "ssim/y-full@2"]


def test_images_on_one_side_only_are_all_named(folders: tuple[Path, Path]) -> None:
    for side, name in ((0, "only-restored"), (1, "only-hq")):
        write_png(folders[side] / f"{name}.png", np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(FaultListError) as raised:
        measure_files(*folders)
    assert [fault.split(":")[0] for fault in raised.value.faults] == ["only-restored", "only-hq"]


def test_sizes_must_be_equal(folders: tuple[Path, Path]) -> None:
    write_png(folders[0] / "2.png", np.zeros((8, 16, 3), np.uint8))
    with pytest.raises(RefbenchError, match=r"2.png is 16x8 and .*2.png is 16x16"):
        measure_files(*folders)


def test_two_images_of_one_name_are_a_fault(folders: tuple[Path, Path]) -> None:
    (folders[0] / "1.jpg").write_bytes((folders[0] / "1.png").read_bytes())
    with pytest.raises(FaultListError, match="1: two images of this name"):
        measure_files(*folders)


@pytest.mark.parametrize("protocol", ["gain:psnr/rgb", "ids-refs-mean/mobilefacenet-5pt-v1"])
def test_what_needs_more_than_two_files_is_refused(folders: tuple[Path, Path], protocol: str) -> None:
    with pytest.raises(RefbenchError, match="refbench score"):
        measure_files(*folders, protocols=[protocol])


def test_a_protocol_against_hq_needs_hq(folders: tuple[Path, Path]) -> None:
    with pytest.raises(RefbenchError, match="give hq"):
        measure_files(folders[0], protocols=["psnr/rgb"])


def test_square_images_are_taken_as_aligned_faces(
    folders: tuple[Path, Path], need_weights: Callable[..., None]
) -> None:
    need_weights("mobilefacenet")
    found = measure_files(*folders, protocols=["ids/mobilefacenet-5pt-v1"])[0]
    assert found.unscored == 0
    assert found.value > 0.9


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_images_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RefbenchError, match=name):
        measure_files(tmp_path / name)


def test_faces_that_are_not_square_are_detected(
    tmp_path: Path, astronaut: np.ndarray, need_weights: Callable[..., None]
) -> None:
    need_weights("mobilefacenet", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    face = astronaut[:300, 80:380:1][:, :290]
    blank = np.full((64, 80, 3), 90, np.uint8)
    for name, image in (("face", face), ("blank", blank)):
        write_png(tmp_path / "hq" / f"{name}.png", image)
        write_png(tmp_path / "restored" / f"{name}.png", image // 2 + 40)
    folders = tmp_path / "restored", tmp_path / "hq"
    found = measure_files(*folders, protocols=["ids/mobilefacenet-5pt-v1"])[0]
    assert 0.5 < found.values["face"] < 1.0
    assert found.reasons == {"blank": "no face was detected in this image, which is not square"}
    done = run(*folders, "-p", "ids/mobilefacenet-5pt-v1")
    assert "1 of 2 unscored: blank: no face was detected" in done.stdout


def test_images_too_small_for_a_metric_are_unscored_with_the_reason(tmp_path: Path) -> None:
    for name, side in (("small", 8), ("large", 16)):
        for folder in ("hq", "restored"):
            write_png(tmp_path / folder / f"{name}.png", np.full((side, side, 3), 90, np.uint8))
    found = measure_files(tmp_path / "restored", tmp_path / "hq", protocols=["ssim/y-full", "psnr/rgb"])
    assert found[0].values["large"] == pytest.approx(1.0)
    assert found[0].reasons == {"small": "ssim/y-full@2 needs sides of 11 pixels or more; got 8x8"}
    assert found[1].unscored == 0
