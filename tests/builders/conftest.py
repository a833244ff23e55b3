"""A toy set of patch faces, built once for the tests of the builders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from refbench.builders.build import build_set
from refbench.builders.settings.options import BuildOptions
from toys import PHOTO_SIDE, save_patch_recogniser, write_patch_photos


@pytest.fixture(scope="session")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a recogniser that needs no weights."""
    return save_patch_recogniser(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of six people, and one person seen once."""
    return write_patch_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def options(recogniser: Path) -> Callable[..., BuildOptions]:
    """Options of a build of the toy photos, with those given in their place."""

    def make(**chosen: object) -> BuildOptions:
        plain = {
            "aligned": True,
            "recogniser": str(recogniser),
            "threshold": 0.3,
            "image_size": PHOTO_SIDE,
            "name": "made-up",
        }
        return BuildOptions.model_validate(plain | chosen)

    return make


@pytest.fixture(scope="session")
def built(folder: Path, recogniser: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set of the toy photos, with half of the people in test; only to be read."""
    out = tmp_path_factory.mktemp("sets") / "made-up"
    chosen = BuildOptions(
        aligned=True,
        recogniser=str(recogniser),
        threshold=0.3,
        image_size=PHOTO_SIDE,
        test=0.5,
        licence="CC0",
    )
    build_set(folder, out, chosen)
    return out
