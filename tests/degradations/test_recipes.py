"""Recipes as YAML and as objects, and the messages about faulty ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from refbench.degradations.operations.distributions import Choice, Fixed, Uniform, parse, pick
from refbench.degradations.operations.operation import Parameter
from refbench.degradations.operations.registry import OPERATIONS
from refbench.degradations.recipes.bundled import RECIPES
from refbench.degradations.recipes.lookup import bundled, load_recipe
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.recipes.severity import severity_recipe
from refbench.degradations.recipes.steps import Branch, OneOf, Step
from refbench.errors import FaultListError, RefbenchError

WHOLE = """
name: mine
version: 2
title: a title
steps:
- operation: blur
  sigma_x: {uniform: [1, 3]}
- one_of:
  - weight: 2
    steps: [{operation: grey, probability: 0.5}]
  - weight: 1
- operation: full_size
"""


@pytest.mark.parametrize(
    "recipe",
    [*RECIPES.values(), severity_recipe(0), severity_recipe(0.35), severity_recipe(1)],
    ids=lambda r: r.id,
)
def test_yaml_and_back(recipe: Recipe) -> None:
    again = Recipe.from_yaml(recipe.to_yaml())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint
    assert again.stream == recipe.stream
    assert load_recipe(recipe.id) == recipe
    assert bundled(recipe.name) == recipe


def test_a_file(tmp_path: Path) -> None:
    recipe = Recipe.from_yaml(WHOLE)
    recipe.write(tmp_path / "mine.yaml")
    assert load_recipe(tmp_path / "mine.yaml") == recipe
    assert recipe.id == "mine@2"
    assert bundled(recipe.name) is None
    one_of = OneOf((Branch(2, (Step("grey", probability=0.5),)), Branch(1)))
    same = Recipe("mine", 2, (Step("blur", {"sigma_x": Uniform(1, 3)}), one_of, Step("full_size")), "a title")
    assert same == recipe
    assert same.drawn == ("blur.sigma_x", "one_of.branch", "grey.applied")


def test_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "custom_recipes.py").write_text(
        "from refbench.degradations.recipe import Recipe\nfrom refbench.degradations.steps import Step\n"
        "GREY = Recipe('custom-grey', 1, (Step('grey'),))\nOTHER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    assert load_recipe("custom_recipes:GREY").id == "custom-grey@1"
    with pytest.raises(RefbenchError, match="a int, not a Recipe"):
        load_recipe("custom_recipes:OTHER")
    with pytest.raises(RefbenchError, match="write MODULE:NAME"):
        load_recipe("custom_recipes:ABSENT")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("refldm-sever", "did you mean 'refldm-severe'"),
        ("refldm-severe@7", "version 1 here, not 7"),
        ("severity-1.5", "severity must be between 0"),
        ("severity-x", "no recipe is called"),
        ("absent.yaml", "No such file"),
    ],
)
def test_unknown_names(name: str, answer: str) -> None:
    with pytest.raises(RefbenchError, match=answer):
        load_recipe(name)


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"operation": "blurr", "sigma_x": 1}, "blurr: no operation is called 'blurr'; did you mean 'blur'"),
        ({"operation": "blur", "sigmax": 1}, "blur.sigmax: no such parameter; did you mean 'sigma_x'"),
        ({"operation": "blur"}, r"blur.sigma_x: is missing \(standard deviation in pixels\)"),
        (
            {"operation": "blur", "sigma_x": {"uniform": [3, 1]}},
            r"range \[3, 1\] is reversed; write \[1, 3\]",
        ),
        ({"operation": "blur", "sigma_x": {"uniform": [-1, 3]}}, "must be between 0 and 100 .*; got -1"),
        ({"operation": "blur", "sigma_x": {"uniform": [1]}}, "uniform takes two numbers"),
        ({"operation": "blur", "sigma_x": {"uniform": [1, 2], "choice": [1]}}, "is not a value"),
        ({"operation": "blur", "sigma_x": "big"}, "must be a number; got 'big'"),
        (
            {"operation": "blur", "sigma_x": 1, "size": 42},
            "blur.size: must be one of 3, 5, 7, ..., 101; got 42",
        ),
        (
            {"operation": "blur", "sigma_x": 1, "size": {"uniform": [3, 9]}},
            "a value or a choice, not a range",
        ),
        ({"operation": "jpeg", "quality": {"choice": [30, 101]}}, "must be between 1 and 100"),
        ({"operation": "jpeg", "quality": {"choice": []}}, "one or more options"),
        ({"operation": "jpeg", "quality": {"choice": [1, 2], "weights": [1]}}, "weights takes one number"),
        ({"operation": "grey", "probability": 1.5}, "probability must be between 0 and 1"),
        ({"operator": "grey"}, "a step has the field 'operation'"),
        ({"one_of": [{"weight": -1, "steps": []}]}, "each branch has a weight >= 0"),
        ({"one_of": [{"steps": [], "chance": 2}]}, "a branch has the fields weight and steps"),
        ({"operation": "albumentations", "pipeline": {"a": 1}}, "what albumentations.to_dict gives"),
    ],
)
def test_faulty_steps_are_named_with_their_place(change: dict[str, object], answer: str) -> None:
    with pytest.raises(FaultListError, match=answer):
        Recipe.from_dict({"name": "faulty", "version": 1, "steps": [change]})


def test_all_faults_are_named_at_once() -> None:
    steps = [{"operation": "jpeg", "quality": 0}, {"operation": "defocus", "radios": 1}]
    with pytest.raises(FaultListError) as caught:
        Recipe.from_dict({"name": "Bad Name", "version": 0, "steps": steps})
    assert len(caught.value.faults) == 5
    steps += [{"operation": "blur", "sigma_x": {"uniform": [3, 1]}}, {"operation": "bluur"}]
    with pytest.raises(FaultListError) as caught:
        Recipe.from_dict({"name": "bad", "version": 1, "steps": steps})
    assert len(caught.value.faults) == 5
    assert "steps[3] blur.sigma_x: the range [3, 1] is reversed" in caught.value.faults[0]
    assert "did you mean 'blur'" in caught.value.faults[-1]
    with pytest.raises(FaultListError, match="unknown field 'nam'; did you mean 'name'"):
        Recipe.from_dict({"nam": "x", "version": 1, "steps": []})
    with pytest.raises(FaultListError, match="steps: there are none"):
        Recipe("empty", 1, ())


@pytest.mark.parametrize("text", ["a: [", "just words", "- 1"])
def test_files_that_are_no_recipes(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(RefbenchError, match=r"bad\.yaml"):
        load_recipe(tmp_path / "bad.yaml")


def test_a_bundled_name_cannot_be_taken_for_other_steps(tmp_path: Path) -> None:
    plain = RECIPES["refldm-severe"].to_dict()
    (tmp_path / "same.yaml").write_text(yaml.safe_dump(plain))
    assert load_recipe(tmp_path / "same.yaml") == RECIPES["refldm-severe"]
    plain["steps"].pop(2)
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(RefbenchError, match="choose another name"):
        load_recipe(tmp_path / "other.yaml")


def test_severity_passes_through_moderate_and_severe() -> None:
    assert severity_recipe(0.5).steps == RECIPES["refldm-moderate"].steps
    assert severity_recipe(1).steps == RECIPES["refldm-severe"].steps
    for level, by in ((0.25, (1, 4.5)), (0.55, (1.7, 10.4)), (0.75, (4.5, 20))):
        between = severity_recipe(level).steps[1]
        assert isinstance(between, Step)
        assert tuple(between.parameters["by"].values()) == pytest.approx(by)


def test_distributions() -> None:
    assert parse({"uniform": [0, 4]}).at(0.25) == 1.0
    assert parse({"choice": ["a", "b"], "weights": [1, 3]}) == Choice(("a", "b"), (1, 3))
    assert [Choice(("a", "b"), (1, 3)).at(unit) for unit in (0.0, 0.24, 0.25, 0.999)] == ["a", "a", "b", "b"]
    assert parse(5) == Fixed(5)
    assert pick((0.0, 1.0, 0.0), 0.0) == 1
    assert Parameter("flag", options=(False, True)).fault(1) == "must be one of False, True; got 1"


def test_every_default_is_allowed() -> None:
    for operation in OPERATIONS.values():
        for name, parameter in operation.parameters.items():
            if parameter.default is not None:
                assert parameter.fault(parameter.default) == "", f"{operation.name}.{name}"


def test_no_recipe_is_called_what_windows_forbids() -> None:
    text = load_recipe("refldm-moderate").to_yaml().replace("name: refldm-moderate", "name: aux", 1)
    with pytest.raises(FaultListError, match="no folder may be called 'aux' on every system"):
        Recipe.from_yaml(text)
