"""The run manifest: written, read, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from refbench.errors import FaultListError, RefbenchError
from refbench.records.card import RestorerCard
from refbench.records.run_manifest import Job, RunManifest, close_run, open_run

pytestmark = pytest.mark.core

OLD = Path(__file__).parents[1] / "fixtures" / "v0_1" / "submission"
CARD = RestorerCard(model="M", version="1", references_used=0)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "a.png").write_bytes(b"lq")
    return Job("a", tmp_path / "a.png")


def test_the_manifest_of_0_1_is_read(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "run")
    found = RunManifest.read(tmp_path / "run")
    assert found is not None
    said = json.loads((OLD / "restore.json").read_text("utf-8"))
    assert found.restorer == RestorerCard.model_validate(said["restorer"])
    assert (found.restorer.model, found.restorer.control, found.seed) == ("Classical", False, 0)
    assert found.inputs == said["inputs"]
    found.write(tmp_path / "again")
    assert RunManifest.read(tmp_path / "again") == found


def test_a_run_is_opened_again_with_the_same_inputs(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = open_run([job], CARD, 0, out=out)
    close_run(first, {"a": "why"}, out)
    (out / "a.png").write_bytes(b"restored")
    assert open_run([job], CARD, 0, out=out).inputs == first.inputs
    found = RunManifest.read(out)
    assert found is not None
    assert found.failures == {}


@pytest.mark.parametrize(
    ("card", "seed", "changed"),
    [
        (CARD, 1, "another seed"),
        (RestorerCard(model="M", version="2", references_used=0), 0, "another restorer"),
    ],
)
def test_images_of_two_runs_are_not_mixed(
    job: Job, tmp_path: Path, card: RestorerCard, seed: int, changed: str
) -> None:
    open_run([job], CARD, 0, out=tmp_path / "out")
    (tmp_path / "out" / "a.png").write_bytes(b"restored")
    with pytest.raises(RefbenchError, match=changed):
        open_run([job], card, seed, out=tmp_path / "out")


def test_other_inputs_and_unlisted_images_are_refused(job: Job, tmp_path: Path) -> None:
    open_run([job], CARD, 0, out=tmp_path / "out")
    (tmp_path / "out" / "a.png").write_bytes(b"restored")
    (tmp_path / "out" / "b.png").write_bytes(b"?")
    with pytest.raises(RefbenchError, match=r"restore\.json does not list: b"):
        open_run([job], CARD, 0, out=tmp_path / "out")
    job.lq.write_bytes(b"other")
    with pytest.raises(RefbenchError, match="another inputs"):
        open_run([job], CARD, 0, out=tmp_path / "out")
    (tmp_path / "out" / "restore.json").unlink()
    with pytest.raises(RefbenchError, match=r"images without a restore\.json"):
        open_run([job], CARD, 0, out=tmp_path / "out")


def test_absent_inputs_and_a_damaged_manifest_are_told(job: Job, tmp_path: Path) -> None:
    with pytest.raises(FaultListError, match=r"b: .*No such file"):
        open_run([job, Job("b", tmp_path / "b.png")], CARD, 0, out=tmp_path / "out")
    (tmp_path / "restore.json").write_text("{}")
    with pytest.raises(RefbenchError, match="cannot be read"):
        RunManifest.read(tmp_path)
