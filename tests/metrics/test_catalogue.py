"""The catalogue: complete facts, ids that name one thing, and documents that say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from refbench.errors import RefbenchError
from refbench.metrics import catalogue
from refbench.metrics.catalogue import METRICS, OFFLINE, PAPER, PROTOCOLS, protocols_of
from refbench.metrics.commands import metrics as app
from refbench.metrics.core.metric import GainMetric, SetMetric
from refbench.metrics.listing import missing, protocols_markdown, with_table
from refbench.weights.weight_files import GROUPS, TABLE
from typer.testing import CliRunner

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", METRICS)
def test_every_protocol_says_everything(name: str) -> None:
    metric, protocol = METRICS[name], PROTOCOLS[name]
    assert re.fullmatch(r"(gain:)?[a-z-]+/[a-z0-9.-]+(@\d+)?", name)
    assert protocol.id == name
    assert all((protocol.title, protocol.unit, protocol.definition, protocol.licence, protocol.citation))
    assert protocol.definition.endswith(".")
    assert set(protocol.weights) <= set(TABLE)
    assert set(metric.feature.weights) == set(protocol.weights)
    assert protocol.is_set_metric == isinstance(metric, SetMetric)
    low, high = protocol.bounds
    assert low is None or high is None or low < high
    if not name.startswith("fid/"):
        assert not protocol.title.startswith("FID")
    if isinstance(metric, GainMetric):
        assert protocol.higher_is_better


def test_titles_are_distinct() -> None:
    titles = [protocol.title for protocol in PROTOCOLS.values()]
    assert len(set(titles)) == len(titles)


def test_the_lists_are_in_the_catalogue_and_the_default_needs_the_demo_group_only() -> None:
    assert {*OFFLINE, *PAPER} <= set(PROTOCOLS)
    assert {name for id in OFFLINE for name in PROTOCOLS[id].weights} <= set(GROUPS["demo"])
    assert [metric.protocol.id for metric in catalogue.select(["offline"])] == list(OFFLINE)


def test_an_id_is_given_once() -> None:
    with pytest.raises(RefbenchError, match="taken"):
        catalogue.register(METRICS["psnr/rgb"])


def test_derived_protocols_are_built_by_name_and_never_by_dictionary_access() -> None:
    gain, lower = "gain:ms-ssim/y-full", "lpips/vgg-v0.1+bf16"
    found = protocols_of([gain, lower, "unheard/of", "nothing"])
    assert found[gain].compared_with == "lq"
    assert found[lower].title == "LPIPS (VGG16), bfloat16"
    assert set(found) == {*PROTOCOLS, gain, lower}
    for name in (gain, lower, "unheard/of"):
        with pytest.raises(KeyError):
            PROTOCOLS[name]
    with pytest.raises(RefbenchError, match=r"ask for lpips/vgg-v0\.1 with precision bfloat16"):
        catalogue.find(lower)


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path))
    assert missing(METRICS["psnr/rgb"]) == []
    assert missing(METRICS["lpips/squeeze-v0.1"]) == ["lpips-squeezenet"]
    assert missing(METRICS["fid/inception-clean-ffhq70k-512"]) == [
        "inception-fid",
        "ffhq70k-512-inception-clean",
    ]


def test_the_table_in_the_docs_is_up_to_date() -> None:
    text = (DOCS / "metrics.md").read_text("utf-8")
    assert protocols_markdown() in text, (
        "bring docs/metrics.md up to date with: python -m refbench.metrics.listing docs/metrics.md"
    )
    assert with_table(text) == text


def test_commands_list_show_and_keep_statistics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "weights"))
    run = CliRunner().invoke
    listed = json.loads(run(app, ["list", "--json"]).stdout)
    assert [row["id"] for row in listed] == list(METRICS)
    assert all(not row["missing"] for row in json.loads(run(app, ["list", "--ready", "--json"]).stdout))
    assert "missing: lpips-alexnet" in run(app, ["list"]).stdout
    assert "Zhang et al." in run(app, ["show", "lpips/alex-v0.1"]).stdout
    wrong = run(app, ["show", "lpips"])
    assert isinstance(wrong.exception, RefbenchError)
    rows = np.random.default_rng(0).normal(size=(9, 256))
    np.savez(tmp_path / "x.npz", mu=rows.mean(0), sigma=np.cov(rows, rowvar=False))
    done = run(
        app,
        ["stats", "--import", str(tmp_path / "x.npz"), "-p", "fd/alexnet-relu5-v1", "-n", "mine", "--json"],
    )
    assert json.loads(done.stdout)["name"] == "mine"
    assert "mine  lpips-alex" in run(app, ["stats"]).stdout
    assert catalogue.find("fd/alexnet-relu5-v1@mine").protocol.id.startswith("fd/alexnet-relu5-v1@mine-")
    assert isinstance(run(app, ["stats", str(tmp_path)]).exception, RefbenchError)
    again = ["stats", "--import", str(tmp_path / "x.npz"), "-p", "fd/alexnet-relu5-v1", "-n"]
    assert "already" in str(run(app, [*again, "mine"]).exception)
    assert run(app, [*again, "mine", "--replace"]).exit_code == 0
    assert "cannot name" in str(run(app, [*again, "../mine"]).exception)
    for protocol, word in (("fid/inception-clean-hq", "256 dimensions"), ("psnr/rgb", "single images")):
        wrong = run(app, ["stats", "--import", str(tmp_path / "x.npz"), "-p", protocol, "-n", "other"])
        assert word in str(wrong.exception)
    assert "images themselves" in str(
        run(
            app, ["stats", "--import", str(tmp_path / "x.npz"), "-p", "kid/inception-tf-hq", "-n", "k"]
        ).exception
    )
