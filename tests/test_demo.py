"""The whole way, as a user goes it: photos in, a leaderboard out, twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from refbench.records.reference_set import ReferenceSet
from refbench.samples.sample_people import PEOPLE, true_identities

DEMO = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet", "dlib-resnet", "lpips-alexnet")
FEW = 3


def run_demo(photos: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "refbench", "demo", "--photos", str(photos), "--out", str(out), "--json"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def visible_bytes(folder: Path) -> dict[str, bytes]:
    """Every file but the work kept for a next run (folders whose names begin with a dot)."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    shown = {name: path for name, path in files.items() if not any(p.startswith(".") for p in name.parts)}
    return {name.as_posix(): path.read_bytes() for name, path in shown.items()}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos of the first sample people."""
    folder = tmp_path_factory.mktemp("few") / "photos"
    folder.mkdir()
    people = sorted(set(true_identities().values()))[:FEW]
    for name, person in true_identities().items():
        if person in people:
            shutil.copy(PEOPLE / name, folder)
    return folder


@pytest.fixture(scope="module")
def demo(few: Path, need_weights: Callable[..., None]) -> tuple[Path, subprocess.CompletedProcess[str]]:
    need_weights(*DEMO)
    out = few.parent / "demo"
    return out, run_demo(few, out)


@pytest.mark.slow
def test_the_demo_ends_with_a_page_and_a_table(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, done = demo
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert Path(result["page"]).read_text().startswith("<!doctype html>")
    rows = {(row["recipe"], row["model"]): row for row in result["table"]}
    assert {model for _, model in rows} >= {"refldm-mini", "composite-context-mini"}
    copied = {recipe: row for (recipe, model), row in rows.items() if model == "LQ copy"}
    moderate, severe = copied["refldm-moderate@1"], copied["refldm-severe@1"]
    assert moderate["psnr/rgb"] > severe["psnr/rgb"]
    assert moderate["lpips/alex-v0.1"] < severe["lpips/alex-v0.1"]
    assert moderate["ids/mobilefacenet-5pt-v1"] > severe["ids/mobilefacenet-5pt-v1"] + 0.2
    for mini in ("refldm-mini", "composite-context-mini"):
        restored = rows["refldm-severe@1", mini]
        assert restored["lpips/alex-v0.1"] < severe["lpips/alex-v0.1"]
        assert restored["ids/mobilefacenet-5pt-v1"] > severe["ids/mobilefacenet-5pt-v1"]
    assert ReferenceSet.read(out / "set").info.counts["identities"] == FEW


@pytest.mark.slow
def test_a_second_run_reuses_and_changes_no_byte(
    demo: tuple[Path, subprocess.CompletedProcess[str]], few: Path
) -> None:
    out, _ = demo
    before = visible_bytes(out)
    again = run_demo(few, out)
    assert again.returncode == 0, again.stderr
    assert "processed by an earlier run" in again.stderr
    assert visible_bytes(out) == before


@pytest.mark.slow
def test_a_fresh_run_elsewhere_gives_the_same_bytes(
    demo: tuple[Path, subprocess.CompletedProcess[str]], few: Path, tmp_path: Path
) -> None:
    first, second = visible_bytes(demo[0]), None
    assert run_demo(few, tmp_path / "elsewhere").returncode == 0
    second = visible_bytes(tmp_path / "elsewhere")
    assert second.keys() == first.keys()
    assert [name for name in first if first[name] != second[name]] == []


@pytest.mark.slow
def test_the_sample_people_are_found_without_being_told(
    tmp_path: Path, need_weights: Callable[..., None]
) -> None:
    from refbench import build
    from refbench.builders.identities.clustering_metrics import score_clustering

    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet")
    build(PEOPLE, tmp_path / "set")
    targets = ReferenceSet.read(tmp_path / "set").targets
    assert len(targets) == len(true_identities())
    found = score_clustering(
        [target.identity for target in targets], [true_identities()[target.source] for target in targets]
    )
    assert found.pairwise.precision == 1.0
    assert found.pairwise.recall == 1.0
