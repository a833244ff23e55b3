"""Slices cut where they say, and their means are the means of their images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refbench.errors import RefbenchError
from refbench.files import write_table
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.figures.figures import sweep_figures, table_figures
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.statistics.slices import Slicing, find_slicings, slice_table
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.store.store import Store
from refbench.leaderboard.tables.board import Table
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.reference_set import ReferenceSet

DECLARED = {name: PROTOCOLS[name] for name in ("psnr/rgb", "ids/mobilefacenet-5pt-v1")}
Scene = tuple[Table, ReferenceSet, Store]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    store, chosen, _ = write_example(tmp_path, DECLARED, models=2, identities=12, size=24)
    table = make_board(store.stored(), PROTOCOLS, BoardSettings()).tables[-1]
    draws = pd.DataFrame({"key": sorted(table.keys), "downscale.by": np.linspace(8, 32, len(table.keys))})
    write_table(chosen.lq_folder(table.recipe) / "draws.parquet", draws)
    return table, chosen, store


def named(table: Table, chosen: ReferenceSet) -> dict[str, Slicing]:
    return {slicing.name: slicing for slicing in find_slicings(table, chosen)}


def test_every_image_lies_in_one_slice_of_each_cut(scene: Scene) -> None:
    table, chosen, _ = scene
    found = named(table, chosen)
    assert {"references", "sharpness", "downscale-by"} <= set(found)
    for slicing in found.values():
        assert (slicing.members.sum(axis=0) == 1).all()
        assert len(slicing.labels) == len(slicing.members)


def test_reference_counts_are_counted(scene: Scene) -> None:
    table, chosen, _ = scene
    slicing = named(table, chosen)["references"]
    for label, members in zip(slicing.labels, slicing.members, strict=True):
        keys = np.array(table.keys)[members]
        assert {len(chosen[key].references) for key in keys} == {int(label)}
    assert slicing.places == tuple(float(label) for label in slicing.labels)


def test_thirds_rise_with_the_value(scene: Scene) -> None:
    table, chosen, _ = scene
    found = named(table, chosen)
    sharp = np.array([chosen[key].quality["sharpness"] for key in table.keys])
    ends = [(sharp[m].min(), sharp[m].max()) for m in found["sharpness"].members]
    assert ends[0][1] < ends[1][0] <= ends[1][1] < ends[2][0]
    drawn = found["downscale-by"]
    assert [int(members.sum()) for members in drawn.members] == [8, 8, 8]
    assert drawn.members[0][table.keys.index(min(table.keys))]
    assert drawn.labels[0].startswith("8.0 to")


def test_means_of_a_slice_are_those_of_its_images(scene: Scene) -> None:
    table, chosen, _ = scene
    slicing = named(table, chosen)["sharpness"]
    sliced = slice_table(table, slicing)
    values = table.values["psnr/rgb"]
    for k, members in enumerate(slicing.members):
        np.testing.assert_allclose(sliced.mean["psnr/rgb"][k], values[members].mean(axis=0))
        assert (sliced.low["psnr/rgb"][k] < sliced.mean["psnr/rgb"][k]).all()
        assert sliced.images[k] == members.sum()


def test_groups_of_people_come_from_a_file(scene: Scene) -> None:
    table, chosen, _ = scene
    (chosen.root / "groups.csv").write_text("identity,group\np0000,one\np0001,two\np0002,two\n")
    slicing = named(table, chosen)["group"]
    assert slicing.labels == ("one", "two")
    assert [int(members.sum()) for members in slicing.members] == [2, 4]
    (chosen.root / "groups.csv").write_text("person,kind\np0000,one\n")
    with pytest.raises(RefbenchError, match="identity, group"):
        find_slicings(table, chosen)


def test_slices_stand_on_model_pages_and_curves_on_the_board(scene: Scene, tmp_path: Path) -> None:
    table, chosen, store = scene
    sliced = [slice_table(table, slicing) for slicing in find_slicings(table, chosen)]
    captions = [figure["caption"] for figure in table_figures(table, BoardSettings(), sliced)]
    assert any("by number of references" in caption for caption in captions)
    assert any("by shrinking" in caption for caption in captions)
    site = publish_site(store, tmp_path / "site", [chosen]).parent
    page = (site / "models" / "Model-A@1.html").read_text("utf-8")
    assert "By number of references" in page
    assert "By shrinking" in page


def test_a_sweep_of_severities_makes_one_curve_per_model(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    recipes = tuple(f"severity-{level}@1" for level in ("0", "0.5", "1"))
    for record in make_synthetic_records(DECLARED, 2, SyntheticImages.make(24, 8), recipes=recipes):
        store.add(record)
    board = make_board(store.stored(), PROTOCOLS, BoardSettings())
    (figure,) = sweep_figures(board)
    assert str(figure["svg"]).count("<polyline") == 2
    assert "severity sweep" in figure["caption"]


def test_another_set_gives_no_slices(scene: Scene, tmp_path: Path) -> None:
    table, _, _ = scene
    other = write_example(tmp_path / "other", DECLARED, models=1, identities=2, size=24)[1]
    assert find_slicings(table, other) == []
