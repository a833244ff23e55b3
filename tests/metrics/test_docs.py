"""The Python examples of docs/metrics.md and docs/add_a_metric.md run and give what the pages say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refbench.faces.align import FFHQ_512, template_at
from refbench.metrics import catalogue
from refbench.metrics.core.metric import SetMetric
from refbench.metrics.protocols.lpips import ALEX

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "add_a_metric.md"


def test_the_example_of_the_page_runs_and_means_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "METRICS", dict(catalogue.METRICS))
    monkeypatch.setattr(catalogue, "PROTOCOLS", dict(catalogue.PROTOCOLS))
    code, use = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    metric = catalogue.find("sharpness-ratio/rgb-v1")
    assert metric is names["SHARPNESS"]
    assert metric.protocol.id in use
    hq = torch.rand(3, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    soft = torch.nn.functional.avg_pool2d(hq, 3, stride=1, padding=1)
    torch.testing.assert_close(metric.compare((hq,), (hq,)), torch.ones(3))
    assert (metric.compare((soft,), (hq,)) < 0.5).all()


def test_the_examples_of_the_metrics_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    fid, small = catalogue.METRICS["fid/inception-clean-hq"], catalogue.METRICS["fd/alexnet-relu5-v1"]
    assert isinstance(small, SetMetric)
    monkeypatch.setitem(
        catalogue.METRICS, fid.protocol.id, replace(small, protocol=fid.protocol, feature=ALEX)
    )
    hq = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    names: dict[str, Any] = {
        "hq": hq,
        "restored": hq * 0.9,
        "lq": hq * 0.5,
        "points": np.repeat(template_at(FFHQ_512, 64, 512)[None], 2, axis=0),
    }
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "metrics.md").read_text("utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    for line in blocks[0].splitlines():
        if line.startswith("rb."):
            names["value"] = eval(line, names)
            assert names["value"] is not None
        else:
            exec(line, names)
    exec(compile(blocks[1], "metrics.md", "exec"), names)
    assert (names["values"] > 0).all()
    assert names["distance"] > 0
    assert 0.5 < names["meter"].compute() < 1.0
