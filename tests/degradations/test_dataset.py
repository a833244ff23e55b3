"""TrainingPairs: draws depend on (recipe, seed, epoch, key) alone; augmentation as in ReF-LDM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.recipes.draws import Draw
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.training.augment import Augmentation, mirrored
from refbench.degradations.training.dataset import TrainingPairs
from refbench.degradations.training.options import TrainingPairsOptions
from refbench.errors import FaultListError, RefbenchError, UnreadableImageError
from refbench.images import read_rgb, write_png
from scipy import stats
from torch.utils.data import DataLoader

RGB = npt.NDArray[np.uint8]
RECIPE = load_recipe("refldm-train")
STILL = Augmentation(
    colour=0,
    hue=0,
    degrees=0,
    shift=0,
    scale=(1, 1),
    distortion=0,
    perspective_probability=0,
    mirror_probability=0,
)


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory, astronaut: RGB) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hq")
    paths = {f"p{n}": folder / f"p{n}.png" for n in range(4)}
    for number, path in enumerate(paths.values()):
        write_png(path, np.ascontiguousarray(astronaut[20 * number : 20 * number + 96, 170:266]))
    return paths


@pytest.fixture(scope="module")
def references(hq: dict[str, Path]) -> dict[str, list[Path]]:
    return {"p0": [hq["p1"], hq["p2"]], "p1": [hq["p0"]], "p2": [], "p3": [hq["p0"], hq["p1"], hq["p2"]]}


def test_an_entry(hq: dict[str, Path], references: dict[str, list[Path]]) -> None:
    pairs = TrainingPairs(hq, references, RECIPE, seed=4)
    assert len(pairs) == 4
    entry = pairs[0]
    assert entry["key"] == "p0"
    assert entry["hq"].shape == entry["lq"].shape == (3, 96, 96)
    assert entry["references"].shape == (5, 3, 96, 96)
    assert entry["hq"].dtype == torch.float32
    assert 0 <= entry["references"].min() <= entry["references"].max() <= 1
    assert pairs[2]["references"].shape == (0, 3, 96, 96)


def test_lq_belongs_to_hq_and_both_are_mirrored_together(
    hq: dict[str, Path], references: dict[str, list[Path]]
) -> None:
    mirrored_entries = 0
    pairs = TrainingPairs(hq, references, RECIPE, seed=1, augmentation=STILL)
    for epoch in range(12):
        pairs.set_epoch(epoch)
        entry = pairs[0]
        original = read_rgb(hq["p0"])
        lq = degrade_image(original, RECIPE, 1, key=f"p0#{epoch}").pixels
        is_mirrored = not np.array_equal(as_levels(entry["hq"]), original)
        mirrored_entries += is_mirrored
        expected = (mirrored(original), mirrored(lq)) if is_mirrored else (original, lq)
        np.testing.assert_array_equal(as_levels(entry["hq"]), expected[0])
        np.testing.assert_array_equal(as_levels(entry["lq"]), expected[1])
        known = [read_rgb(path) for path in references["p0"]]
        for reference in entry["references"]:
            own = as_levels(reference)
            assert any((own == (mirrored(k) if is_mirrored else k)).all() for k in known)
    assert 0 < mirrored_entries < 12


def test_the_target_itself_takes_a_share_of_the_references_places(
    hq: dict[str, Path], references: dict[str, list[Path]]
) -> None:
    def own(share: float) -> list[bool]:
        pairs = TrainingPairs(
            hq,
            references,
            RECIPE,
            augmentation=STILL,
            mirror_probability=0,
            references_per_entry=40,
            target_as_reference=share,
        )
        entry = pairs[0]
        return [bool(torch.equal(reference, entry["hq"])) for reference in entry["references"]]

    assert not any(own(0.0))
    assert all(own(1.0))
    assert 5 < sum(own(0.3)) < 20
    assert len(TrainingPairs(hq, references, RECIPE, target_as_reference=1.0)[2]["references"]) == 0


def test_references_are_shuffled_and_repeated_in_turn(hq: dict[str, Path]) -> None:
    paths = [hq["p1"], hq["p2"], hq["p3"]]
    pairs = TrainingPairs({"p0": hq["p0"]}, {"p0": paths}, RECIPE, augmentation=STILL, mirror_probability=0)
    first = set()
    for epoch in range(20):
        pairs.set_epoch(epoch)
        levels = [as_levels(reference).tobytes() for reference in pairs[0]["references"]]
        assert len(set(levels[:3])) == 3
        assert levels[3:] == levels[:2]
        first.add(levels[0])
    assert len(first) == 3


def test_pure_in_seed_epoch_and_key_for_any_workers(
    hq: dict[str, Path], references: dict[str, list[Path]]
) -> None:
    known = {key: paths for key, paths in references.items() if paths}
    pairs = TrainingPairs({key: hq[key] for key in known}, known, RECIPE, seed=2)
    alone = DataLoader(pairs, batch_size=3)
    workers = DataLoader(pairs, batch_size=3, num_workers=2, persistent_workers=True)
    for epoch in (0, 1):
        pairs.set_epoch(epoch)
        for one, other in zip(alone, workers, strict=True):
            assert all(torch.equal(one[name], other[name]) for name in ("hq", "lq", "references"))
        if epoch == 0:
            first = one
    assert not torch.equal(first["lq"], one["lq"])
    again = TrainingPairs(pairs.hq, pairs.references, RECIPE, seed=2)
    assert torch.equal(again[1]["references"], next(iter(DataLoader(again, batch_size=3)))["references"][1])


def test_pictures_are_kept_within_bounds(hq: dict[str, Path], tmp_path: Path) -> None:
    paths = {key: tmp_path / f"{key}.png" for key in ("p0", "p1")}
    for key, path in paths.items():
        path.write_bytes(hq[key].read_bytes())
    references = {"p0": [paths["p1"]], "p1": [paths["p0"]]}
    size = read_rgb(paths["p0"]).nbytes
    kept, bounded = (TrainingPairs(paths, references, RECIPE, cache_bytes=n * size) for n in (2, 1))
    before = [pairs[0] for pairs in (kept, bounded)]
    paths["p1"].unlink()
    for name in ("hq", "lq", "references"):
        assert torch.equal(kept[0][name], before[0][name])
        assert torch.equal(before[0][name], before[1][name])
    with pytest.raises(UnreadableImageError, match=r"p1\.png"):
        bounded[0]


def test_transparent_targets_are_refused_though_they_were_read_as_references(
    hq: dict[str, Path], tmp_path: Path
) -> None:
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (96, 96), (10, 20, 30, 40)).save(clear)
    pairs = TrainingPairs({"p0": hq["p0"], "p1": clear}, {"p0": [clear], "p1": [hq["p0"]]}, RECIPE)
    assert len(pairs[0]["references"]) == 5
    with pytest.raises(UnreadableImageError, match="transparency"):
        pairs[1]


def test_fixed_lq(hq: dict[str, Path], references: dict[str, list[Path]]) -> None:
    lq = dict.fromkeys(hq, hq["p3"])
    pairs = TrainingPairs(hq, references, RECIPE, lq=lq, mirror_probability=0)
    np.testing.assert_array_equal(as_levels(pairs[0]["lq"]), read_rgb(hq["p3"]))


def test_what_is_absent_is_named_at_once(hq: dict[str, Path], references: dict[str, list[Path]]) -> None:
    with pytest.raises(FaultListError) as caught:
        TrainingPairs(hq, {"p0": references["p0"]}, RECIPE, lq={"p0": hq["p0"], "p1": hq["p1"]})
    assert len(caught.value.faults) == 5
    with pytest.raises(RefbenchError, match="one HQ image"):
        TrainingPairs({}, {}, RECIPE)


def test_augmentation_stays_within_its_bounds(astronaut: RGB) -> None:
    augmentation = Augmentation()
    angles, scales, shifts = [], [], []
    for number in range(400):
        matrix = augmentation.affine((512, 512), Draw("t", 0, str(number)))
        angles.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        scales.append(np.hypot(matrix[0, 0], matrix[1, 0]))
        centre = matrix @ [255.5, 255.5, 1]
        shifts.append(centre[0] - 255.5)
        corners = augmentation.perspective((512, 512), Draw("t", 0, str(number))) @ np.array(
            [[0, 511, 511, 0], [0, 0, 511, 511], [1, 1, 1, 1]]
        )
        inwards = np.minimum(corners[:2] / corners[2], 511 - corners[:2] / corners[2])
        assert inwards.min() > -1e-3
        assert inwards.max() < 51 + 1e-3
    assert stats.kstest(angles, stats.uniform(-2, 4).cdf).pvalue > 1e-3
    assert stats.kstest(scales, stats.uniform(0.95, 0.1).cdf).pvalue > 1e-3
    assert np.abs(shifts).max() <= 26
    np.testing.assert_allclose(shifts, np.rint(shifts), atol=1e-9)
    draws = [Draw("t", 0, str(number)) for number in range(300)]
    turned = [draw.unit("mirror") < augmentation.mirror_probability for draw in draws]
    assert np.mean(turned) == pytest.approx(0.5, abs=0.1)
    np.testing.assert_array_equal(STILL.apply(astronaut, Draw("t", 0, "a")), astronaut)


def test_augmentation_changes_place_and_colour(astronaut: RGB) -> None:
    colour_only = STILL.model_copy(update={"colour": 0.2, "hue": 0.02})
    coloured = colour_only.apply(astronaut, Draw("t", 0, "a"))
    assert 1 < np.abs(coloured.astype(int) - astronaut).mean() < 60
    whole = Augmentation().apply(astronaut, Draw("t", 0, "a"))
    assert whole.shape == astronaut.shape
    assert (whole == 0).all(axis=2).mean() > (astronaut == 0).all(axis=2).mean()
    mirror = STILL.model_copy(update={"mirror_probability": 1})
    np.testing.assert_array_equal(mirror.apply(astronaut, Draw("t", 0, "a")), astronaut[:, ::-1])


def as_levels(tensor: torch.Tensor) -> RGB:
    return (tensor * 255).round().byte().permute(1, 2, 0).numpy()


def test_names_of_0_1_are_read_with_a_warning(hq: dict[str, Path], references: dict[str, list[Path]]) -> None:
    with pytest.warns(DeprecationWarning, match="the old name goes with 0.3") as said:
        pairs = TrainingPairs(hq, references, RECIPE, count=2, own_share=0.5, keep_bytes=0)
    assert pairs.options == TrainingPairsOptions(
        references_per_entry=2, target_as_reference=0.5, cache_bytes=0
    )
    assert sorted(str(warning.message).split()[0] for warning in said) == ["count", "keep_bytes", "own_share"]
    assert pairs[0]["references"].shape[0] == 2


def test_an_options_object_gives_the_same_entries(
    hq: dict[str, Path], references: dict[str, list[Path]]
) -> None:
    options = TrainingPairsOptions(seed=3, references_per_entry=2)
    one = TrainingPairs(hq, references, RECIPE, options=options)
    other = TrainingPairs(hq, references, RECIPE, seed=3, references_per_entry=2)
    assert torch.equal(one[0]["references"], other[0]["references"])
    assert TrainingPairs(hq, references, RECIPE, options=options, seed=4).options.seed == 4


def test_wrong_options_are_named_at_once(hq: dict[str, Path], references: dict[str, list[Path]]) -> None:
    with pytest.raises(RefbenchError) as caught:
        TrainingPairs(hq, references, RECIPE, references_per_entry=0, mirror_probability=2)
    assert "- references_per_entry: " in str(caught.value)
    assert "- mirror_probability: " in str(caught.value)
