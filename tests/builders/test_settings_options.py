"""Options of builds and imports: ranges, misspelt names, files, old spellings, one list of fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from refbench.builders.photos.photo_cache import PhotoCache
from refbench.builders.settings.options import (
    BuildKeywords,
    BuildOptions,
    ImportKeywords,
    ImportOptions,
    read_options,
)
from refbench.builders.settings.overrides import Overrides
from refbench.builders.settings.quality_filters import QualityFilters
from refbench.errors import RefbenchError


@pytest.mark.parametrize(
    ("options", "keywords"), [(BuildOptions, BuildKeywords), (ImportOptions, ImportKeywords)]
)
def test_the_keywords_are_the_fields(options: type[BaseModel], keywords: Any) -> None:
    assert list(options.model_fields) == list(keywords.__annotations__)


@pytest.mark.parametrize("model", [BuildOptions, ImportOptions, QualityFilters, Overrides])
def test_every_field_is_described(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description[0].isupper() or field.description.startswith("cpu"), name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    "chosen",
    [
        {"threshold": 2.5},
        {"val": -1},
        {"test": 1.5},
        {"quality_filters": {"min_score": 7}},
        {"speed": "high"},
        {"identities": "guard"},
    ],
)
def test_values_out_of_range_are_refused_by_name(chosen: dict[str, object]) -> None:
    with pytest.raises(RefbenchError, match=next(iter(chosen))):
        read_options(None, chosen)


def test_a_misspelt_option_gets_the_nearest_name_and_a_union_is_one_fault() -> None:
    with pytest.raises(RefbenchError) as refusal:
        read_options(None, {"treshold": 0.1, "quality_filters": {"max_yam": 3}, "order": "random"})
    lines = str(refusal.value).splitlines()
    assert "  - treshold: no such option; did you mean 'threshold'?" in lines
    with pytest.raises(RefbenchError, match="image_sise: no such option; did you mean 'image_size'"):
        BuildOptions(image_sise=3)  # type: ignore[call-arg]
    wanted = "quality_filters.max_yam: no such option; did you mean 'quality_filters.max_yaw'?"
    assert f"  - {wanted}" in lines
    assert any(line.startswith("  - order: Input should be 'farthest-point' or 'nearest'") for line in lines)
    with pytest.raises(RefbenchError) as refusal:
        read_options(None, {"val": -3})
    assert str(refusal.value).count("val: ") == 1


def test_options_come_from_a_file_that_may_name_the_overrides(tmp_path: Path) -> None:
    (tmp_path / "by_eye.yaml").write_text("drop: [a]\n")
    (tmp_path / "options.yaml").write_text("overrides: by_eye.yaml\ntest: 0.5\nseed: 3\n")
    chosen = read_options(tmp_path / "options.yaml", {"seed": 4})
    assert (chosen.overrides.drop, chosen.test, chosen.seed) == (("a",), 0.5, 4)


def test_the_spellings_of_0_1_are_read_everywhere(tmp_path: Path) -> None:
    wanted = BuildOptions(quality_filters=QualityFilters(max_yaw=30.0), identities="average-linkage")
    old = {"gates": {"max_yaw": 30.0}, "identities": "guarded"}
    (tmp_path / "options.yaml").write_text("gates: {max_yaw: 30}\nidentities: guarded\n")
    assert BuildOptions.read(tmp_path / "options.yaml", {}) == wanted
    assert BuildOptions.merged(None, old) == wanted
    assert BuildOptions.model_validate(old) == wanted
    assert set(wanted.settings()) & {"gates", "quality_filters"} == {"quality_filters"}
    assert wanted.settings()["identities"] == "average-linkage"


def test_the_key_of_the_photo_cache_is_that_of_0_1() -> None:
    versions = {"mobilefacenet": "8" * 64, "package:refbench": "0.1.0"}
    key = PhotoCache.of(Path(), BuildOptions(), versions).choices
    assert key == "0db874c8cf19323aff0719c80f6a08afa20767a7819edea25763f57bd78dbc8e", (
        "the cache of 0.1 is lost"
    )
    assert PhotoCache.of(Path(), BuildOptions(), versions | {"package:refbench": "9.9"}).choices == key
    assert PhotoCache.of(Path(), BuildOptions(flip=True), versions).choices != key


def test_another_limit_of_megapixels_looks_at_photos_anew() -> None:
    default, small = (
        PhotoCache.of(Path(), BuildOptions(**given), {}) for given in ({}, {"max_megapixels": 1.0})
    )
    assert default.choices != small.choices
