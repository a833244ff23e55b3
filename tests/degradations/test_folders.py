"""LQ folders: synthesis, resuming, verification, import, and their faults."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.lq import synthesise as module
from refbench.degradations.lq.import_lq import import_lq
from refbench.degradations.lq.synthesise import synthesise_lq
from refbench.degradations.lq.verify import verify_lq_folder
from refbench.degradations.operations.distributions import Fixed
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.recipes.steps import Step
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.images import read_rgb, write_png
from refbench.records.lq_set import LqInfo, lq_hash, read_rows

RECIPE = load_recipe("refldm-moderate")
Images = dict[str, Path]


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """Six smooth pictures of 96x80, each unlike the others."""
    folder = tmp_path / "hq"
    paths = {}
    for number in range(6):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8))
        paths[f"p{number}"] = folder / f"p{number}.png"
        write_png(paths[f"p{number}"], np.array(coarse.resize((80, 96), Image.Resampling.BICUBIC)))
    return paths


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_folder_holds_images_draws_and_info(images: Images, tmp_path: Path) -> None:
    info = synthesise_lq(images, RECIPE, tmp_path / "lq", seed=5)
    assert sorted(content(tmp_path / "lq")) == sorted(
        [*(f"{key}.png" for key in images), "draws.parquet", "lq.json"]
    )
    assert LqInfo.read(tmp_path / "lq") == info
    rows = {row.key: row for row in read_rows(tmp_path / "lq")}
    made = degrade_image(read_rgb(images["p2"]), RECIPE, 5, key="p2")
    assert rows["p2"].record == made.record
    assert (rows["p2"].width, rows["p2"].height) == (80, 96)
    np.testing.assert_array_equal(read_rgb(tmp_path / "lq" / "p2.png"), made.pixels)


@pytest.mark.parametrize("name", ["refldm-moderate", "gfpgan-v1", "realesrgan-2nd-order"])
def test_same_bytes_for_any_workers_order_and_stops(name: str, images: Images, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    synthesise_lq(images, recipe, tmp_path / "one", seed=0, workers=1)
    synthesise_lq(dict(reversed(images.items())), recipe, tmp_path / "three", seed=0, workers=3)
    synthesise_lq(dict(list(images.items())[:2]), recipe, tmp_path / "grown", seed=0)
    synthesise_lq(images, recipe, tmp_path / "grown", seed=0)
    assert content(tmp_path / "one") == content(tmp_path / "three") == content(tmp_path / "grown")


def test_a_folder_holds_what_was_asked_for_and_says_what_it_removes(
    images: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthesise_lq(images, RECIPE, tmp_path, seed=0)
    assert "removed" not in capsys.readouterr().err
    first = sorted(images)[0]
    synthesise_lq({first: images[first]}, RECIPE, tmp_path, seed=0)
    assert [path.stem for path in tmp_path.glob("*.png")] == [first]
    assert f"{len(images) - 1} LQ images of other HQ images were removed" in capsys.readouterr().err


def test_a_killed_run_goes_on_and_ends_the_same(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesise_lq(images, RECIPE, tmp_path / "whole", seed=0)
    calls = 0

    def killed(*given: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return degrade_image(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "degrade_image", killed)
    with pytest.raises(KeyboardInterrupt):
        synthesise_lq(images, RECIPE, tmp_path / "killed", seed=0)
    assert not (tmp_path / "killed" / "lq.json").exists()
    with (tmp_path / "killed" / ".rows.jsonl").open("a") as journal:
        journal.write('{"key": "p5", "wid')
    synthesise_lq(images, RECIPE, tmp_path / "killed", seed=0)
    assert calls == 4 + len(images) - 3
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_what_changed_is_made_again_and_what_left_is_removed(images: Images, tmp_path: Path) -> None:
    first = synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0)
    write_png(images["p0"], np.full((96, 80, 3), 90, dtype=np.uint8))
    (tmp_path / "lq" / "p1.png").write_bytes(b"spoilt")
    del images["p5"]
    second = synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0)
    assert second.lq_hash != first.lq_hash
    assert not (tmp_path / "lq" / "p5.png").exists()
    synthesise_lq(images, RECIPE, tmp_path / "fresh", seed=0)
    assert content(tmp_path / "lq") == content(tmp_path / "fresh")


def test_the_hash_is_over_keys_and_pixels(images: Images, tmp_path: Path) -> None:
    made = synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0)
    rows = read_rows(tmp_path / "lq")
    assert lq_hash(reversed(rows)) == made.lq_hash
    assert lq_hash([replace(rows[0], lq_sha256="another encoder"), *rows[1:]]) == made.lq_hash
    assert lq_hash([replace(rows[0], pixels_sha256="0" * 64), *rows[1:]]) != made.lq_hash
    assert lq_hash([replace(rows[0], key="other"), *rows[1:]]) != made.lq_hash


def test_another_recipe_or_seed_is_refused(images: Images, tmp_path: Path) -> None:
    synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0)
    before = content(tmp_path / "lq")
    for recipe, seed in ((RECIPE, 1), (load_recipe("codeformer"), 0)):
        with pytest.raises(RefbenchError, match=r"holds LQ images of refldm-moderate@1, seed 0"):
            synthesise_lq(images, recipe, tmp_path / "lq", seed=seed)
    assert content(tmp_path / "lq") == before


def test_a_run_that_made_nothing_binds_nobody(images: Images, tmp_path: Path) -> None:
    unfit = Recipe("phone", 1, (Step("downscale", {"by": Fixed(2)}),))
    with pytest.raises(RefbenchError, match="end it with the operation full_size"):
        synthesise_lq(images, unfit, tmp_path / "lq", seed=0)
    fixed = Recipe("phone", 1, (*unfit.steps, Step("full_size")))
    assert synthesise_lq(images, fixed, tmp_path / "lq", seed=0).images == len(images)


def test_all_faulty_images_are_named_and_the_others_kept(images: Images, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((96, 80, 4), dtype=np.uint8), "RGBA").save(images["p0"])
    write_png(images["p1"], np.zeros((12, 12, 3), dtype=np.uint8))
    images["p2"].write_bytes(images["p2"].read_bytes()[:200])
    images["p3"] = tmp_path / "absent.png"
    with pytest.raises(FaultListError) as caught:
        synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0, sizes={"p4": (512, 512)})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["p0", "p1", "p2", "p3", "p4"]
    words = (
        "transparency",
        "too small for a kernel",
        "damaged",
        "cannot be opened",
        "the manifest says 512x512",
    )
    assert all(word in fault for word, fault in zip(words, caught.value.faults, strict=True))
    assert (tmp_path / "lq" / "p5.png").is_file()
    assert not (tmp_path / "lq" / "lq.json").exists()


def test_no_images_and_unsafe_keys(images: Images, tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="no HQ images"):
        synthesise_lq({}, RECIPE, tmp_path / "lq", seed=0)
    with pytest.raises(FaultListError, match=r"'\.\./x' cannot name a file"):
        synthesise_lq({"../x": images["p0"]}, RECIPE, tmp_path / "lq", seed=0)


@pytest.mark.parametrize("name", ["refldm-moderate", "realesrgan-2nd-order"])
def test_verify_finds_a_good_folder_good(name: str, images: Images, tmp_path: Path) -> None:
    synthesise_lq(images, load_recipe(name), tmp_path / "lq", seed=3)
    verification = verify_lq_folder(images, tmp_path / "lq", workers=2)
    assert verification.identical == tuple(sorted(images))
    assert str(verification) == f"{load_recipe(name).id}: 6 of 6 images synthesised again and found identical"


def test_verify_finds_every_kind_of_change(images: Images, tmp_path: Path) -> None:
    lq = tmp_path / "lq"
    synthesise_lq(images, RECIPE, lq, seed=0)
    (lq / "p0.png").unlink()
    write_png(lq / "p1.png", read_rgb(lq / "p2.png"))
    write_png(lq / "extra.png", read_rgb(lq / "p2.png"))
    write_png(images["p3"], read_rgb(images["p3"])[:90])
    images["new"] = images["p4"]
    del images["p5"]
    with pytest.raises(FaultListError) as caught:
        verify_lq_folder(images, lq)
    assert {fault.partition(":")[0]: fault.partition(": ")[2] for fault in caught.value.faults} == {
        "p0": f"{lq / 'p0.png'}: cannot be opened: No such file or directory",
        "p1": "its LQ image changed since it was made",
        "p3": "its HQ file changed; it was 80x96 pixels, it is 80x90",
        "p5": "has no HQ image",
        "new": "has no LQ image",
        "extra.png": "is not in draws.parquet",
    }


def test_verify_compares_draws_and_pixels_with_the_recipe(images: Images, tmp_path: Path) -> None:
    lq = tmp_path / "lq"
    synthesise_lq(images, RECIPE, lq, seed=0)
    info = json.loads((lq / "lq.json").read_text())
    (lq / "lq.json").write_text(json.dumps(info | {"seed": 1}))
    with pytest.raises(FaultListError, match=r"p0: its draws are not the recipe's: blur"):
        verify_lq_folder(images, lq)
    changed = json.loads(json.dumps(info))
    changed["steps"]["steps"][3]["quality"] = {"uniform": [10, 20]}
    (lq / "lq.json").write_text(json.dumps(changed))
    with pytest.raises(FaultListError, match="its recipe is not the one whose fingerprint it gives"):
        verify_lq_folder(images, lq)
    (lq / "lq.json").write_text(json.dumps(info | {"lq_hash": "0" * 64}))
    with pytest.raises(FaultListError, match=r"does not belong to lq\.json"):
        verify_lq_folder(images, lq)
    (lq / "lq.json").unlink()
    with pytest.raises(RefbenchError, match="not a whole LQ folder"):
        verify_lq_folder(images, lq)


def test_another_title_of_a_bundled_recipe_is_no_fault(images: Images, tmp_path: Path) -> None:
    synthesise_lq(images, replace(RECIPE, title="its title in an earlier version"), tmp_path / "lq", seed=0)
    assert len(verify_lq_folder(images, tmp_path / "lq").identical) == len(images)


def test_verify_distinguishes_rounding_from_other_pixels(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesise_lq(images, RECIPE, tmp_path / "one", seed=0)
    real = module.degrade_image

    def nudged(amount: int) -> object:
        def made(*given: object, **named: object) -> object:
            degraded = real(*given, **named)  # type: ignore[arg-type]
            degraded.pixels[5, 5, 1] ^= amount
            return degraded

        return made

    monkeypatch.setattr(module, "degrade_image", nudged(1))
    synthesise_lq(images, RECIPE, tmp_path / "rounded", seed=0)
    assert verify_lq_folder(images, tmp_path / "rounded").rounded == tuple(sorted(images))
    monkeypatch.setattr(module, "degrade_image", nudged(16))
    synthesise_lq(images, RECIPE, tmp_path / "other", seed=0)
    with pytest.raises(FaultListError, match="synthesised again it differs by up to 16 levels"):
        verify_lq_folder(images, tmp_path / "other")


def test_import_keeps_bytes_and_hash(images: Images, tmp_path: Path) -> None:
    made = synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0)
    official = tmp_path / "official"
    for key in images:
        write_png(official / f"{key}.png", read_rgb(tmp_path / "lq" / f"{key}.png"))
    Image.fromarray(read_rgb(official / "p0.png")).save(official / "p0.bmp")
    (official / "p0.png").unlink()
    write_png(official / "extra.png", read_rgb(images["p0"]))
    with pytest.raises(FaultListError, match="extra: has no HQ image"):
        import_lq(images, official, tmp_path / "in", name="official-moderate")
    info = import_lq(images, official, tmp_path / "in", name="official-moderate", ignore_extra=True)
    assert (info.origin, info.recipe_id, info.lq_hash) == (
        "imported",
        "official-moderate@imported",
        made.lq_hash,
    )
    assert (tmp_path / "in" / "p1.png").read_bytes() == (official / "p1.png").read_bytes()
    assert str(verify_lq_folder(images, tmp_path / "in")).endswith("6 of 6 images as imported")
    with pytest.raises(RefbenchError, match="is not empty"):
        import_lq(images, official, tmp_path / "in", name="again", ignore_extra=True)


def test_import_refuses_wrong_pairs(images: Images, tmp_path: Path) -> None:
    synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0)
    official = tmp_path / "official"
    for key, other in {"p0": "p1", "p1": "p0", "p2": "p2", "p3": "p3", "p4": "p4"}.items():
        write_png(official / f"{key}.png", read_rgb(tmp_path / "lq" / f"{other}.png"))
    write_png(official / "p2.png", read_rgb(official / "p2.png")[:50])
    Image.new("RGBA", (80, 96), (1, 2, 3, 40)).save(official / "p3.png")
    with pytest.raises(FaultListError) as caught:
        import_lq(images, official, tmp_path / "in", name="official")
    faults = "\n".join(caught.value.faults)
    assert "p0: looks like the LQ image of p1" in faults
    assert "p1: looks like the LQ image of p0" in faults
    assert "p2: LQ is 80x50 pixels, HQ 80x96" in faults
    assert "p3" in faults
    assert "has transparency" in faults
    assert "p5: has no LQ image" in faults
    assert "p4" not in faults
    assert not (tmp_path / "in").exists()


def test_input_is_never_written_to(images: Images, tmp_path: Path) -> None:
    before = {key: path.read_bytes() for key, path in images.items()}
    synthesise_lq(images, RECIPE, tmp_path / "lq", seed=0, workers=2)
    verify_lq_folder(images, tmp_path / "lq")
    assert {key: path.read_bytes() for key, path in images.items()} == before


def test_an_image_smaller_than_its_kernel_names_the_size() -> None:
    with pytest.raises(InvalidInputError, match="needs 21 pixels a side"):
        degrade_image(np.zeros((20, 40, 3), dtype=np.uint8), RECIPE, 0, key="a")
