"""LQ images that are smaller than HQ: imported, enlarged for restorers, scored, and told in the cards."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest
import refbench as rb
from refbench.builders.build import build_set
from refbench.builders.exchange.exchange import export_set, import_lq
from refbench.builders.settings.options import BuildOptions
from refbench.errors import FaultListError
from refbench.images import enlarged, read_rgb, write_png
from refbench.leaderboard.integrity.copies import find_copies
from refbench.records.card import read_card
from refbench.records.reference_set import ReferenceSet
from toys import patches, save_patch_recogniser


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    """A set of 128-pixel images with LQ images of 32 pixels."""
    for number in range(2):
        for photo in range(2):
            write_png(tmp_path / "photos" / f"{number}" / f"{photo}.png", patches(number, photo))
    network = str(save_patch_recogniser(tmp_path))
    options = BuildOptions(aligned=True, recogniser=network, threshold=0.3, image_size=128, test=1.0, val=0)
    build_set(tmp_path / "photos", tmp_path / "set", options)
    found = ReferenceSet.read(tmp_path / "set")
    for target in found.targets:
        small = cv2.resize(read_rgb(found.hq_path(target.key)), (32, 32), interpolation=cv2.INTER_AREA)
        write_png(tmp_path / "small" / f"{target.key}.png", small)
    info = import_lq(tmp_path / "set", tmp_path / "small")
    assert info.images == 4
    return tmp_path / "set"


def test_smaller_lq_images_are_enlarged_for_restorers_and_told(
    chosen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = rb.restore(chosen, "small", "lq-copy", tmp_path / "out")
    assert not report.failures
    found = ReferenceSet.read(chosen)
    key = found.targets[0].key
    wanted = enlarged(read_rgb(found.lq_path("small", key)), (128, 128))
    assert wanted.shape == (128, 128, 3)
    assert (read_rgb(tmp_path / "out" / f"{key}.png") == wanted).all()
    told = "LQ images of 32x32 pixels, enlarged to 128x128 (bicubic) before the model"
    assert told in capsys.readouterr().err
    assert told in read_card(tmp_path / "out" / "submission.yaml").notes
    (record,) = rb.score(chosen, "small", tmp_path / "out", tmp_path / "store", protocols="psnr/rgb")
    assert record.scores["value"].notna().all()
    images = {target.key: tmp_path / "out" / f"{target.key}.png" for target in found.targets}
    (flag,) = find_copies(found, "small", {"mine": images})["mine"]
    assert flag.kind == "copy of LQ"
    export_set(chosen, tmp_path / "export", recipes="small")
    assert "32 pixels square; a restorer enlarges it" in (tmp_path / "export" / "README.md").read_text()


def test_a_command_gets_the_small_image_itself(chosen: Path, tmp_path: Path) -> None:
    script = tmp_path / "enlarge.py"
    work = "Image.open(sys.argv[1]).resize((128, 128)).save(sys.argv[2])"
    script.write_text(f"import sys\nfrom PIL import Image\n{work}\n")
    report = rb.restore(chosen, "small", f"{sys.executable} {script} {{lq}} {{out}}", tmp_path / "out")
    assert not report.failures
    assert len(report.restored) == 4
    notes = read_card(tmp_path / "out" / "submission.yaml").notes
    assert "LQ images of 32x32 pixels, which the model enlarges to 128x128" in notes


def test_larger_and_squeezed_lq_images_are_refused(chosen: Path, tmp_path: Path) -> None:
    found = ReferenceSet.read(chosen)
    for target in found.targets:
        pixels = read_rgb(found.hq_path(target.key))
        write_png(tmp_path / "large" / f"{target.key}.png", cv2.resize(pixels, (256, 256)))
        write_png(tmp_path / "wide" / f"{target.key}.png", cv2.resize(pixels, (64, 32)))
    for name in ("large", "wide"):
        with pytest.raises(FaultListError, match="has the size of HQ, or is smaller in the same shape"):
            import_lq(chosen, tmp_path / name)
