"""Previews, their statistics, and the room's commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from refbench.degradations.commands import app
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.reports.preview import QUANTILES, TILE, preview_recipe
from refbench.degradations.reports.quick_quality import psnr
from refbench.errors import FaultListError, RefbenchError
from refbench.images import read_rgb, write_png
from typer.testing import CliRunner

RGB = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, astronaut: RGB) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(3):
        write_png(
            folder / f"p{number}.png", np.ascontiguousarray(astronaut[number * 9 : number * 9 + 120, 170:290])
        )
    return folder


def test_draws_are_ordered_by_severity_and_are_those_of_degrade(photos: Path) -> None:
    recipe = load_recipe("refldm-moderate")
    made = preview_recipe({path.stem: path for path in photos.iterdir()}, recipe, seed=3, samples=12)
    assert len(made.draws) == 12
    assert made.draws["psnr"].is_monotonic_decreasing
    hq = read_rgb(photos / "p1.png")
    for key in ("p1", "p1#2"):
        row = made.draws.set_index("key").loc[key]
        degraded = degrade_image(hq, recipe, 3, key=key)
        assert row["jpeg.quality"] == degraded.record["jpeg.quality"]
        assert row["psnr"] == pytest.approx(psnr(degraded.pixels, hq))


def test_the_sheet_has_a_column_per_quantile(photos: Path) -> None:
    recipe = load_recipe("refldm-severe")
    sheet = preview_recipe({"p0": photos / "p0.png"}, recipe, samples=20).sheet
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == TILE * len(QUANTILES)
    assert sheet.std() > 20
    few = preview_recipe({"p0": photos / "p0.png"}, recipe, samples=2).sheet
    assert few.shape[1] == TILE * 2


def test_statistics(photos: Path) -> None:
    made = preview_recipe({"p0": photos / "p0.png"}, load_recipe("gfpgan-v1"), samples=40)
    table = made.statistics.set_index(["name", "option"])
    quality = table.loc[("jpeg.quality", "")]
    assert quality["count"] == 40
    assert 60 <= quality["min"] <= quality["lower"] <= quality["median"] <= quality["max"] <= 100
    shares = made.statistics[made.statistics["name"] == "blur.kernel"]
    assert set(shares["option"]) == {"isotropic", "anisotropic"}
    assert shares["mean"].sum() == pytest.approx(1)
    assert ("colour_shift.applied", "True") in table.index
    assert made.draws["psnr"].mean() == pytest.approx(table.loc[("psnr", "")]["mean"])


def test_equal_pictures_have_no_finite_psnr(photos: Path) -> None:
    same = Recipe.from_yaml("{name: same, version: 1, steps: [{operation: full_size}]}")
    made = preview_recipe({"p0": photos / "p0.png"}, same, samples=3)
    assert np.isinf(made.draws["psnr"]).all()
    assert pd.isna(made.statistics.set_index("name").loc["psnr", "mean"])


def test_nothing_to_preview(photos: Path) -> None:
    with pytest.raises(RefbenchError, match="one image and one sample"):
        preview_recipe({}, load_recipe("codeformer"))


def test_recipes_command(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["recipes", "list"])
    assert listed.exit_code == 0
    assert "refldm-severe" in listed.stdout
    assert "severity-LEVEL" in listed.stdout
    shown = CliRunner().invoke(app, ["recipes", "show", "codeformer"])
    assert Recipe.from_yaml(shown.stdout) == load_recipe("codeformer")
    (tmp_path / "custom.yaml").write_text(shown.stdout.replace("codeformer", "custom"))
    assert CliRunner().invoke(app, ["recipes", "show", str(tmp_path / "custom.yaml")]).exit_code == 0


def test_preview_command(photos: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "sheet.png", tmp_path / "draws.csv"
    options = ["--recipe", "severity-0.7", "--out", str(out), "--samples", "8", "--table", str(table)]
    ran = CliRunner().invoke(app, ["preview", str(photos), *options])
    assert ran.exit_code == 0, ran.output
    assert "jpeg.quality" in ran.stdout
    assert read_rgb(out).shape[1] == TILE * 7
    assert len(pd.read_csv(table)) == 8


def test_a_preview_of_a_set_leaves_its_lq_images_out(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "set" / "images")
    (tmp_path / "set" / "set.json").write_text("{}")
    write_png(tmp_path / "set" / "lq" / "grey" / "stray.png", np.zeros((8, 8, 3), np.uint8))
    table = tmp_path / "draws.csv"
    options = ["--out", str(tmp_path / "sheet.png"), "--samples", "3", "--table", str(table)]
    ran = CliRunner().invoke(app, ["preview", str(tmp_path / "set"), *options])
    assert ran.exit_code == 0, ran.output
    assert set(pd.read_csv(table)["key"]) == {"p0", "p1", "p2"}


def test_a_broken_file_is_named_and_left_out(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe("refldm-moderate")
    images = {path.stem: path for path in photos.iterdir()}
    broken = tmp_path / "a-broken.png"
    broken.write_bytes(images["p1"].read_bytes()[:300])
    made = preview_recipe({**images, "a-broken": broken}, recipe, samples=5)
    assert "left out: a-broken: " in capsys.readouterr().err
    assert (made.sheet == preview_recipe(images, recipe, samples=5).sheet).all()
    with pytest.raises(FaultListError, match="a-broken"):
        preview_recipe({"a-broken": broken}, recipe, samples=5)
