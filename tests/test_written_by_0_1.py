"""What 0.1 wrote stays usable: a set with its cache, LQ images, a submission, a store, weights, recipes.

``fixtures/v0_1`` was written by version 0.1.0, before anything was renamed; ``facts.json`` holds its hashes
and ids. A rename changes none of them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import refbench as rb
from refbench.builders.settings.options import read_options
from refbench.builders.verify import verify_set
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.recipes.bundled import OLD_VERSIONS, RECIPES
from refbench.degradations.recipes.lookup import load_recipe
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.files import sha256_file
from refbench.images import read_rgb
from refbench.metrics.catalogue import find
from refbench.models.checkpoints.checkpoints import load_autoencoder
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet, content_hash
from refbench.samples.sample_people import PEOPLE
from refbench.verbs import verify_lq
from refbench.weights import weight_files

OLD = Path(__file__).parent / "fixtures" / "v0_1"
FACTS: dict[str, Any] = json.loads((OLD / "facts.json").read_text("utf-8"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of everything, to be written to."""
    return Path(shutil.copytree(OLD, tmp_path / "v0_1"))


def hashes(folder: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def test_a_set_is_read_and_whole(old: Path) -> None:
    found = ReferenceSet.read(old / "set")
    assert len(found.targets) == 6
    assert found.info.content_hash == content_hash(found.targets) == FACTS["content_hash"]
    assert verify_set(old / "set").faults == ()


def test_lq_images_are_drawn_again_alike(old: Path) -> None:
    (checked,) = verify_lq(old / "set", ["refldm-moderate"])
    assert len(checked.identical) == 6


def test_degrade_keeps_finished_images(old: Path) -> None:
    before = hashes(old / "set" / "lq", "*")
    rb.degrade(old / "set", ["refldm-moderate"])
    assert hashes(old / "set" / "lq", "*") == before


def test_restore_goes_on_with_a_submission(old: Path) -> None:
    before = hashes(old / "submission", "*")
    (old / "submission" / "003_turn.png").unlink()
    report = rb.restore(old / "set", "refldm-moderate", "classical", old / "submission", record_times=False)
    assert (report.restored, len(report.kept)) == (("003_turn",), 5)
    assert hashes(old / "submission", "*.png") == {k: v for k, v in before.items() if k.endswith(".png")}


def test_a_store_is_read_and_published(old: Path, tmp_path: Path) -> None:
    (folder,) = (path.parent for path in (old / "store").glob("*/*/record.json"))
    record = Record.read(folder)
    assert record.info.benchmark.id == folder.parent.name == FACTS["benchmark_id"]
    page = rb.publish(old / "store", tmp_path / "site", [old / "set"], submissions=[old / "submission"])
    assert "Classical" in page.read_text("utf-8")


@pytest.mark.parametrize("id", FACTS["protocols"])
def test_every_protocol_keeps_its_id(id: str) -> None:
    assert find(id).protocol.id == id


def test_recipes_keep_their_fingerprints() -> None:
    now = {recipe.id: recipe.fingerprint for recipe in RECIPES.values()}
    extra = [load_recipe("severity-0.5"), load_recipe(OLD / "recipe.yaml")]
    now |= {recipe.id: recipe.fingerprint for recipe in (*extra, *OLD_VERSIONS.values())}
    assert {name: now.get(name) for name in FACTS["fingerprints"]} == FACTS["fingerprints"]


def test_a_recipe_with_class_paths_of_0_1_runs(old: Path) -> None:
    recipe = load_recipe(OLD / "recipe.yaml")
    picture = read_rgb(old / "set" / "images" / "003_turn.png")
    first, second = (degrade_image(picture, recipe, 0, key="003_turn").pixels for _ in range(2))
    assert (first == second).all()
    assert (first != picture).any()


def test_an_albumentations_pipeline_of_0_1_is_read(old: Path) -> None:
    import albumentations
    import refbench.degradations.training.transforms  # noqa: F401  registers the transforms

    pipeline = albumentations.from_dict(json.loads((OLD / "pipeline.json").read_text("utf-8")))
    picture = read_rgb(old / "set" / "images" / "003_turn.png")
    assert pipeline(image=picture)["image"].shape == picture.shape


def test_options_of_0_1_are_read() -> None:
    options = read_options(OLD / "options.yaml", {})
    assert (options.image_size, options.test, options.name) == (128, 1.0, "fixture-0.1")


def test_weights_of_0_1_are_read() -> None:
    assert load_autoencoder(OLD / "autoencoder.safetensors").config.codebook_size == 16


def test_the_photo_cache_of_0_1_is_used_and_the_set_comes_out_alike(old: Path) -> None:
    absent = [name for name in ("mtcnn-pnet", "mobilefacenet") if weight_files.state(name) == "missing"]
    if absent:
        pytest.skip(f"weights are absent: {', '.join(absent)}; refbench weights fetch demo")
    kept = hashes(old / "set" / ".cache", "*")
    photos = old / "photos"
    photos.mkdir()
    for target in ReferenceSet.read(old / "set").targets:
        shutil.copyfile(PEOPLE / target.source, photos / target.source)
    rb.build(photos, old / "set", read_options(OLD / "options.yaml", {}))
    assert ReferenceSet.read(old / "set").info.content_hash == FACTS["content_hash"]
    assert hashes(old / "set" / ".cache", "*") == kept


@pytest.mark.parametrize("name", FACTS["recogniser_fingerprints"])
def test_recognisers_keep_their_fingerprints(name: str) -> None:
    if weight_files.state(name) == "missing":
        pytest.skip(f"weight {name} is absent: refbench weights fetch {name}")
    assert load_recogniser(name).fingerprint == FACTS["recogniser_fingerprints"][name]
