"""docs/recipes.md is up to date, and the examples of docs/add_a_recipe.md run as printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.lq.synthesise import synthesise_lq
from refbench.degradations.lq.verify import verify_lq_folder
from refbench.degradations.operations.registry import OPERATIONS
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.reports.recipes_doc import updated_page
from refbench.errors import FaultListError
from refbench.images import read_rgb, write_png
from toys import Shot, write_set

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def photo(tmp_path: Path, astronaut: npt.NDArray[np.uint8]) -> Path:
    write_png(tmp_path / "photo.png", np.ascontiguousarray(astronaut[20:148, 150:278]))
    return tmp_path / "photo.png"


@pytest.fixture(autouse=True)
def known_operations() -> Iterator[None]:
    before = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


def examples(kind: str) -> list[str]:
    text = (DOCS / "add_a_recipe.md").read_text("utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def test_the_tables_are_up_to_date() -> None:
    text = (DOCS / "recipes.md").read_text("utf-8")
    assert text == updated_page(text), "run: python -m refbench.degradations.page docs/recipes.md"
    assert "### refldm-severe" in text


def test_the_yaml_example(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "phone.yaml").write_text(examples("yaml")[0])
    recipe = load_recipe(tmp_path / "phone.yaml")
    images = {f"{number}": photo for number in range(5)}
    synthesise_lq(images, recipe, tmp_path / "lq", seed=0)
    assert len(verify_lq_folder(images, tmp_path / "lq").identical) == 5


def test_the_answer_to_mistakes_is_as_printed(tmp_path: Path) -> None:
    text = examples("yaml")[0].replace("radius", "radios", 1).replace("[20, 80]", "[20, 120]")
    text = text.replace("radios: {uniform: [0, 4]}", "radios: 2\n  radius: 1")
    (tmp_path / "phone.yaml").write_text(text)
    with pytest.raises(FaultListError) as caught:
        load_recipe(tmp_path / "phone.yaml")
    printed = re.search(r"```\nrefbench: (.*?)```", (DOCS / "add_a_recipe.md").read_text("utf-8"), re.DOTALL)
    assert printed is not None
    assert str(caught.value).replace(f"{tmp_path}/", "") == printed[1].strip()


def test_the_python_examples(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definition, use, pipelines, _, _ = examples("python")
    (tmp_path / "my_recipes.py").write_text(definition)
    monkeypatch.chdir(tmp_path)
    film = load_recipe("my_recipes:FILM")
    names = {"photo": photo, "out": tmp_path / "out.png", "FILM": film}
    exec(use, names)
    assert (tmp_path / "out.png").is_file()
    exec(pipelines, names)
    assert load_recipe(tmp_path / "out.yaml").id == "blurred-jpeg@1"
    dark = degrade_image(np.full((64, 64, 3), 200, dtype=np.uint8), film, 0, key="a").pixels
    assert dark[:8, :8].mean() < dark[28:36, 28:36].mean() - 5


def test_the_training_examples(photo: Path, tmp_path: Path) -> None:
    write_set(tmp_path, [Shot(key, "p0", read_rgb(photo), "train") for key in "abc"])
    *_, loading, batched = examples("python")
    names: dict[str, Any] = {"SET": tmp_path}
    exec(loading, names)
    batch = names["batch"]
    assert batch["key"] == ["a", "b", "c"]
    assert batch["references"].shape == (3, 5, 3, 128, 128)
    exec(batched, names)
    assert names["lq"].shape == batch["hq"].shape
    assert (names["lq"] - batch["hq"]).abs().mean() > 0.01
