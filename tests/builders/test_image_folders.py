"""A large set has its images in folders of two hex digits; builds, checks and exports follow."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from refbench.builders.build import build_set
from refbench.builders.exchange.exchange import export_set
from refbench.builders.exchange.parquet import read_parquet
from refbench.builders.rebuild import rebuild_set
from refbench.builders.settings.options import BuildOptions
from refbench.builders.verify import verify_set
from refbench.files import sha256_bytes
from refbench.images import write_png
from refbench.records import reference_set as module
from refbench.records.reference_set import ReferenceSet
from toys import files_of, patches, save_patch_recogniser


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for person in range(2):
        for photo in range(3):
            write_png(tmp_path / "photos" / f"person{person}" / f"{photo}.png", patches(person, photo))
    return tmp_path / "photos"


@pytest.fixture
def options(tmp_path: Path) -> BuildOptions:
    recogniser = str(save_patch_recogniser(tmp_path))
    return BuildOptions(aligned=True, recogniser=recogniser, threshold=0.3, image_size=64, name="s", test=0.5)


@pytest.fixture
def flat(photos: Path, options: BuildOptions, tmp_path: Path) -> ReferenceSet:
    build_set(photos, tmp_path / "flat", options)
    return ReferenceSet.read(tmp_path / "flat")


@pytest.fixture
def many(flat: ReferenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six images count as many, after the flat set was built."""
    monkeypatch.setattr(module, "MANY_IMAGES", 5)


@pytest.mark.usefixtures("many")
def test_a_large_set_has_the_content_of_the_flat_one(
    flat: ReferenceSet, photos: Path, options: BuildOptions, tmp_path: Path
) -> None:
    build_set(photos, tmp_path / "large", options)
    large = ReferenceSet.read(tmp_path / "large")
    assert large.info.image_folder_digits == 2
    assert [t.hq for t in large.targets] == [
        f"images/{sha256_bytes(t.key.encode())[:2]}/{t.key}.png" for t in flat.targets
    ]
    assert large.info.content_hash == flat.info.content_hash
    assert verify_set(large.root).is_valid
    assert not build_set(photos, tmp_path / "large", options).changed
    assert rebuild_set(large.root, photos, tmp_path / "again").is_same


@pytest.mark.usefixtures("many")
def test_a_set_that_grows_or_shrinks_moves_its_images(
    flat: ReferenceSet, photos: Path, options: BuildOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_of(flat.root)
    build_set(photos, flat.root, options)
    assert sorted(path.name for path in (flat.root / "images").iterdir() if path.is_file()) == []
    assert verify_set(flat.root).is_valid
    monkeypatch.setattr(module, "MANY_IMAGES", 6)
    build_set(photos, flat.root, options)
    assert files_of(flat.root) == before
    assert all(path.is_file() for path in (flat.root / "images").iterdir())


@pytest.mark.usefixtures("many")
def test_exports_of_a_large_set_hold_its_images(photos: Path, options: BuildOptions, tmp_path: Path) -> None:
    build_set(photos, tmp_path / "large", options)
    large = ReferenceSet.read(tmp_path / "large")
    export_set(large.root, tmp_path / "parquet")
    (file, *_) = sorted((tmp_path / "parquet" / "data").glob("*.parquet"))
    for row in pq.read_table(file).to_pylist():
        assert row["hq"]["bytes"] == large.hq_path(row["key"]).read_bytes()
        assert Image.open(io.BytesIO(row["hq"]["bytes"])).size == (64, 64)
    back = read_parquet(tmp_path / "parquet", tmp_path / "back")
    assert [target.hq for target in back.targets] == [target.hq for target in large.targets]
    assert verify_set(back.root).is_valid
    for form in ("webdataset", "ffhq-ref", "folders"):
        assert export_set(large.root, tmp_path / form, form)
