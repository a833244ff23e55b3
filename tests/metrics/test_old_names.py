"""A metric that was written with the documentation of 0.1 still works, with warnings."""

from __future__ import annotations

import json

import pytest
import torch
from refbench.metrics import catalogue
from refbench.metrics.commands import metrics as app
from refbench.metrics.core import feature, metric
from refbench.metrics.core.feature import PIXELS, Batch, Feature
from refbench.metrics.core.metric import NoReferenceMetric, SetMetric
from typer.testing import CliRunner

WRITTEN_FOR_0_1 = """
from refbench.metrics.catalogue import register
from refbench.metrics.feature import PIXELS
from refbench.metrics.metric import ImageMetric
from refbench.metrics.protocol import Protocol

register(ImageMetric(
    Protocol(id="brightness/rgb-v1", title="Brightness", higher_is_better=True, unit="1", bounds=(None, None),
             counterpart="hq", decimals=3, weights=(), definition="Difference of means.", licence="none",
             citation="none"),
    PIXELS,
    lambda restored, hq: (restored[0] - hq[0]).mean(dim=(1, 2, 3)),
))
"""


def test_a_metric_written_for_0_1_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "METRICS", dict(catalogue.METRICS))
    monkeypatch.setattr(catalogue, "PROTOCOLS", dict(catalogue.PROTOCOLS))
    with pytest.warns(DeprecationWarning, match=r"Protocol\(counterpart=...\) is called"):
        exec(WRITTEN_FOR_0_1, {})
    protocol = catalogue.find("brightness/rgb-v1").protocol
    assert protocol.compared_with == "hq"
    with pytest.warns(DeprecationWarning, match="compared_with"):
        assert protocol.counterpart == "hq"


def test_classes_fields_and_attributes_keep_their_old_names() -> None:
    with pytest.warns(DeprecationWarning, match="NoReferenceMetric"):
        assert metric.LoneMetric is NoReferenceMetric
    with pytest.warns(DeprecationWarning, match="Tensors"):
        assert feature.Bundle == feature.Tensors
    with pytest.warns(DeprecationWarning, match="bfloat16="):
        assert Feature("old", (), PIXELS.load, halves=True).bfloat16
    declared = catalogue.METRICS["fd/alexnet-relu5-v1"].protocol
    with pytest.warns(DeprecationWarning, match="min_images="):
        old = SetMetric(declared, PIXELS, lambda a, b: 0.0, enough=7)
    assert old.min_images == 7
    batch = Batch.of(torch.zeros(1, 3, 4, 4))
    with pytest.warns(DeprecationWarning, match=r"Batch\.hq"):
        assert batch.true is batch.hq


def test_the_json_list_holds_the_old_key() -> None:
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert [row["counterpart"] for row in rows] == [row["compared_with"] for row in rows]
