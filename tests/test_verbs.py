"""The verbs as functions: few positional arguments, options as an object or as keywords of the same names."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import refbench as rb
from refbench import verbs
from refbench.builders.settings.options import BuildKeywords
from refbench.degradations.lq.options import DegradeKeywords
from refbench.evaluate_options import EvaluateKeywords
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.site.options import HubKeywords, PublishKeywords
from refbench.metrics.catalogue import PROTOCOLS
from refbench.metrics.core.options import ScoreKeywords
from refbench.models.restorers.options import RestoreKeywords
from refbench.records.options import Options

VERBS = ("build", "degrade", "verify_lq", "restore", "score", "evaluate", "publish")
OPTIONS: dict[type[Any], type[Options]] = {
    BuildKeywords: rb.BuildOptions,
    DegradeKeywords: rb.DegradeOptions,
    RestoreKeywords: rb.RestoreOptions,
    ScoreKeywords: rb.ScoreOptions,
    EvaluateKeywords: rb.EvaluateOptions,
    PublishKeywords: rb.PublishOptions,
}
CALLS: dict[str, tuple[Any, ...]] = {
    "build": ("photos", "set"),
    "degrade": ("set", ["refldm-severe"]),
    "verify_lq": ("set", ["refldm-severe"]),
    "restore": ("set", "refldm-severe", "lq-copy", "out"),
    "score": ("set", "refldm-severe", ["out"], "store"),
    "evaluate": ("set", ["refldm-severe"], "lq-copy", "out"),
    "publish": ("store", "site"),
}


@pytest.mark.parametrize("keywords", OPTIONS, ids=lambda keywords: keywords.__name__)
def test_keywords_have_the_fields_of_their_options(keywords: type[Any]) -> None:
    assert set(get_type_hints(keywords)) == set(OPTIONS[keywords].model_fields)
    assert not keywords.__required_keys__


def test_publish_takes_its_pictures_as_arguments_and_the_rest_as_keywords() -> None:
    named = set(inspect.signature(rb.publish).parameters) | set(get_type_hints(HubKeywords))
    assert set(rb.PublishOptions.model_fields) <= named


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_at_most_four_positional_and_eight_parameters(name: str) -> None:
    parameters = inspect.signature(getattr(verbs, name)).parameters.values()
    assert sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) <= 4
    assert len(parameters) <= 8
    assert {"options", "given"} <= {p.name for p in parameters}


@pytest.mark.parametrize("name", VERBS)
def test_a_fifth_positional_argument_is_a_type_error_that_says_how_many_there_are(name: str) -> None:
    with pytest.raises(TypeError, match=r"takes (from \d to )?\d positional arguments but 9 "):
        getattr(rb, name)(*"123456789")


@pytest.mark.parametrize("name", VERBS)
def test_an_unknown_keyword_lists_what_there_is(name: str, tmp_path: Path) -> None:
    paths = [tmp_path / word if isinstance(word, str) and "-" not in word else word for word in CALLS[name]]
    more = {"store": tmp_path / "store"} if name == "evaluate" else {}
    with pytest.raises(rb.RefbenchError) as raised:
        getattr(rb, name)(*paths, **more, sead=3)
    assert "sead: no such option" in str(raised.value)
    assert "the options are: " in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_a_keyword_wins_over_the_object(tmp_path: Path) -> None:
    chosen = rb.RestoreOptions(split="val", seed=5)
    with pytest.raises(rb.RefbenchError, match="batch_size"):
        rb.restore(tmp_path, "r", "m", tmp_path / "o", options=chosen, batch_size=0)
    merged = rb.RestoreOptions.merged(chosen, {"seed": 6})
    assert (merged.split, merged.seed) == ("val", 6)


def test_evaluate_hands_each_step_its_options() -> None:
    chosen = rb.EvaluateOptions(
        split="val", references=1, batch_size=2, protocols="psnr/rgb", cache="c", workers=3
    )
    assert chosen.restoring() == rb.RestoreOptions(split="val", references=1, batch_size=2)
    scoring = chosen.scoring()
    assert scoring == rb.ScoreOptions(split="val", protocols=["psnr/rgb"], cache=Path("c"), workers=3)
    assert scoring.references is None  # the card of what was restored says it


def test_evaluate_shares_defaults_with_its_steps() -> None:
    assert rb.EvaluateOptions().restoring() == rb.RestoreOptions()
    assert rb.EvaluateOptions().scoring() == rb.ScoreOptions()


def test_every_public_name_of_the_package_is_there_and_documented() -> None:
    for name in rb.__all__:
        found = getattr(rb, name)
        assert isinstance(found, str) or found.__doc__, name
    assert set(VERBS) | {"ReferenceSet", "Record", "Card", "BuildOptions"} <= set(rb.__all__)


def test_paths_may_be_strings_and_a_list_of_one_may_be_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_example(tmp_path, {"psnr/rgb": PROTOCOLS["psnr/rgb"]}, models=1, identities=4, size=64)
    monkeypatch.chdir(tmp_path)
    assert rb.ReferenceSet.read("set").root == Path("set")
    assert [info.recipe for info in rb.degrade("set", "severity-0.1")] == ["severity-0.1"]
    assert len(rb.verify_lq("set", "severity-0.1")) == 1
    rb.restore("set", "severity-0.1", "lq-copy", "copied", record_times=False)
    scored = rb.score("set", "severity-0.1", "copied", "own-store", protocols="psnr/rgb")
    again, folders = rb.evaluate(
        "set", "severity-0.1", "lq-copy", "runs", store="own-store", protocols="psnr/rgb", record_times=False
    )
    assert folders == [Path("runs/severity-0.1")]
    assert [record.info.card for record in scored] == [record.info.card for record in again]
    assert rb.publish("own-store", "site", "set", "copied") == Path("site/index.html")
    with pytest.raises(rb.RefbenchError, match="photos is not a folder"):
        rb.build("photos", "built")


@pytest.mark.parametrize("options", [{"image_size": 128}, rb.ScoreOptions()])
def test_an_options_object_of_another_class_is_named(tmp_path: Path, options: Any) -> None:
    with pytest.raises(
        rb.RefbenchError, match="build options must be a BuildOptions, or given by name; got a"
    ):
        rb.build(tmp_path, tmp_path / "set", options=options)


def test_a_damaged_set_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.parquet").touch()
    for content, said in (("{", "file: Invalid JSON"), ("{}", "name: Field required; content_hash")):
        (tmp_path / "set.json").write_text(content)
        with pytest.raises(rb.RefbenchError, match=said) as caught:
            rb.ReferenceSet.read(tmp_path)
        assert "\n" not in str(caught.value)
        assert "pydantic" not in str(caught.value)
