"""What protocols need is checked before any work; lists of protocols; own metrics by module:NAME."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import refbench as rb
from refbench.errors import FaultListError, RefbenchError
from refbench.images import write_png
from refbench.metrics import catalogue
from refbench.metrics.commands import metrics as app
from refbench.metrics.core.metric import ImageMetric
from refbench.metrics.requirements import check_requirements, mask_faults, missing, needs, unscored_notes
from refbench.metrics.scoring import score
from refbench.metrics.scoring.score import Entry, plan_scoring, score_images
from refbench.records.card import Card, card_text
from refbench.records.reference_set import ReferenceSet
from toys import SIDE, noisy_copies, write_noise_set
from typer.testing import CliRunner

MASKED, PLAIN = "flpips/vgg-v0.1-set-masks", "psnr/rgb"
MODULE = """
from refbench.metrics import PIXELS, ImageMetric, Protocol

MINE = ImageMetric(
    Protocol(
        id="mine/mean-v1", title="Mine", higher_is_better=False, unit="1", bounds=(0.0, None),
        compared_with="hq", decimals=3, weights=(), definition="Mean absolute difference.",
        licence="Apache-2.0", citation="me",
    ),
    PIXELS,
    lambda restored, hq: (restored[0] - hq[0]).abs().mean(dim=(1, 2, 3)),
)
NOT_ONE = 3
"""


@pytest.fixture
def toy(tmp_path: Path) -> ReferenceSet:
    return write_noise_set(tmp_path / "set")


@pytest.fixture
def submission(toy: ReferenceSet, tmp_path: Path) -> Path:
    noisy_copies(toy, tmp_path / "sub")
    (tmp_path / "sub" / "submission.yaml").write_text(card_text(Card(model="M", version="1")))
    return tmp_path / "sub"


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A metric of one's own in the working folder; afterwards nothing of it is left."""
    path = tmp_path / "my_metrics.py"
    path.write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield path
    sys.modules.pop("my_metrics", None)
    for known in (catalogue.METRICS, catalogue.PROTOCOLS, catalogue.OWN):
        known.pop("mine/mean-v1", None)  # type: ignore[attr-defined]


def forbid_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr(score, "score_chunk", work)


def write_masks(toy: ReferenceSet) -> None:
    for target in toy.targets:
        white = np.full((target.height, target.width, 3), 255, np.uint8)
        write_png(toy.root / "masks" / f"{target.key}.png", white)


def test_a_set_without_masks_is_refused_before_any_work(
    toy: ReferenceSet, submission: Path, tmp_path: Path, need_weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_weights("lpips-vgg16")
    forbid_work(monkeypatch)
    with pytest.raises(RefbenchError, match=r"set-masks: the set has no face masks; put them at .*KEY\.png"):
        rb.score(toy.root, "dim", submission, tmp_path / "store", protocols=[PLAIN, MASKED])
    write_masks(toy)
    (toy.root / "masks" / "p0_0.png").unlink()
    write_png(toy.root / "masks" / "p0_1.png", np.zeros((5, 7, 3), np.uint8))
    with pytest.raises(RefbenchError) as raised:
        rb.score(toy.root, "dim", submission, tmp_path / "store", protocols=[PLAIN, MASKED])
    assert "1 of 14 face masks" in str(raised.value)
    assert "p0_0" in str(raised.value)
    assert "p0_1.png is 7x5; wanted" in str(raised.value)


def test_everything_absent_is_named_at_once(
    toy: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr("refbench.metrics.requirements.is_installed", lambda name: False)
    wanted = ("fid/inception-clean-ffhq70k-512", MASKED, "lpips/alex-v0.1")
    with pytest.raises(RefbenchError) as raised:
        check_requirements(catalogue.select(wanted), toy, toy.select("test"))
    for words in (
        "refbench weights fetch inception-fid lpips-alexnet lpips-vgg16",
        "the package torch_fidelity is not installed: pip install 'refbench[fidelity]'",
        "the statistics 'ffhq70k-512-inception-clean' are not in",
        "the set has no face masks",
    ):
        assert words in str(raised.value)
    assert missing(catalogue.METRICS["fid/inception-clean-hq"]) == ["inception-fid", "package torch_fidelity"]


def test_evaluate_checks_before_it_restores(
    toy: ReferenceSet, tmp_path: Path, need_weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_weights("lpips-vgg16")
    with pytest.raises(RefbenchError, match="the set has no face masks"):
        rb.evaluate(toy.root, "dim", "lq-copy", tmp_path / "out", store=tmp_path / "store", protocols=MASKED)
    assert not (tmp_path / "out").exists()


def test_images_too_small_or_without_references_are_told_and_unscored(
    toy: ReferenceSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    ids = ("ms-ssim/y-full", PLAIN, "gain:ms-ssim/y-full")
    record = score_images(toy, "dim", images, card=Card(model="m"), protocols=ids, device="cpu")
    reason = f"ms-ssim/y-full@2 needs sides of 176 pixels or more; got {SIDE}x{SIDE}"
    assert f"9 of 14 images will have no value: {reason}" in capsys.readouterr().err
    rows = record.scores.groupby("protocol")
    assert rows.get_group(PLAIN).value.notna().all()
    for name in ("ms-ssim/y-full@2", "gain:ms-ssim/y-full@2"):
        assert rows.get_group(name).value.isna().all()
        assert rows.get_group(name).reason.str.contains("needs sides of 176 pixels or more").all()
    bare = tuple(replace(target, references=(), landmarks=()) for target in toy.select("test"))
    notes = unscored_notes(catalogue.select(["copy/patches-v1", "colour-shift/face-lab-v1"]), bare)
    assert [note.partition("value: ")[2] for note in notes] == [
        "it has no references",
        "the set has no landmarks of it",
    ]


def test_a_recogniser_of_aligned_faces_scores_no_image_that_is_not_square(
    toy: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = catalogue.find("ids/arcface-r50-webface-centercrop-v2")
    assert "square images" in needs(metric)
    target = replace(toy.targets[0], width=30, height=24)
    assert "needs square images, aligned as FFHQ's; got 30x24" in unscored_notes([metric], [target])[0]


def test_all_takes_what_machine_and_set_can_do(toy: ReferenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: catalogue.METRICS[name] for name in (PLAIN, "ssim/rgb@2", MASKED, "lpips/squeeze-v0.1")}
    monkeypatch.setattr(catalogue, "METRICS", few)
    monkeypatch.setattr(catalogue, "missing", lambda metric: ["x"] if "squeeze" in metric.protocol.id else [])
    assert [m.protocol.id for m in catalogue.select(["all"])] == [PLAIN, "ssim/rgb@2", MASKED]
    assert mask_faults(toy, toy.select("test"))
    entry = Entry("dim", Card(model="m"), noisy_copies(toy, toy.root.parent / "sub"))
    (plan,) = plan_scoring(toy, [entry], rb.ScoreOptions(protocols="all", device="cpu"))
    assert [m.protocol.id for m in plan.metrics] == [PLAIN, "ssim/rgb@2"]


def test_lists_may_overlap_and_default_is_offline() -> None:
    assert catalogue.select(["default"]) == catalogue.select(["offline"])
    assert [m.protocol.id for m in catalogue.select([PLAIN, "default"])].count(PLAIN) == 1
    with pytest.raises(RefbenchError, match="named twice: psnr/rgb"):
        catalogue.select([PLAIN, PLAIN])


def test_an_own_metric_is_named_by_its_module(
    toy: ReferenceSet, submission: Path, own_module: Path, tmp_path: Path
) -> None:
    (record,) = rb.score(
        toy.root, "dim", submission, tmp_path / "store", protocols=["my_metrics:MINE", "gain:my_metrics:MINE"]
    )
    assert record.info.benchmark.protocols == ("mine/mean-v1", "gain:mine/mean-v1")
    assert record.scores.value.notna().all()
    assert any("my_metrics.py" in name for name in record.info.provenance)
    assert isinstance(catalogue.find("mine/mean-v1"), ImageMetric), "its id names it from then on"
    for known in (catalogue.METRICS, catalogue.PROTOCOLS):
        known.pop("mine/mean-v1")
    declared = catalogue.protocols_of_records([record])
    assert declared["mine/mean-v1"].title == "Mine", "the record declares what the catalogue does not hold"
    assert not declared["mine/mean-v1"].higher_is_better
    page = rb.publish(tmp_path / "store", tmp_path / "site").read_text("utf-8")
    assert "Mine" in page
    pages = [path.read_text("utf-8") for path in (tmp_path / "site").rglob("*.html")]
    assert any("Mean absolute difference." in text for text in pages)
    assert not any("not declared here" in text for text in pages)
    sys.modules.pop("my_metrics")
    shown = CliRunner().invoke(app, ["show", "my_metrics:MINE"])
    assert "Mean absolute difference." in shown.stdout


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("my_metrics:NOT_ONE", "is of the type int, not a metric"),
        ("my_metrics:ABSENT", "no attribute 'ABSENT'"),
        ("no_such_module:MINE", "No module named 'no_such_module'"),
    ],
)
def test_what_is_no_metric_is_told(own_module: Path, spec: str, word: str) -> None:
    with pytest.raises(RefbenchError, match=word) as raised:
        catalogue.find(spec)
    assert "package.module:NAME" in str(raised.value)


def test_score_tells_what_submission_check_tells(
    toy: ReferenceSet, submission: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refbench.leaderboard.submission.submission import check_submission

    forbid_work(monkeypatch)
    (submission / "p0_0.png").write_bytes(b"no picture")
    (submission / "p0_1.png").unlink()
    (submission / "foreign.png").write_bytes((submission / "p3_0.png").read_bytes())
    write_png(submission / "p3_0.png", np.zeros((5, 7, 3), np.uint8))
    (submission / "more.jpg").write_bytes(b"")
    told = check_submission(submission, toy, "test").faults
    assert len(told) >= 5
    with pytest.raises(FaultListError) as raised:
        rb.score(toy.root, "dim", submission, tmp_path / "store", protocols=PLAIN)
    assert raised.value.faults == told


def test_records_of_one_mode_are_kept_when_another_fails(
    toy: ReferenceSet, submission: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    noisy_copies(toy, other, seed=1)
    (other / "submission.yaml").write_text(card_text(Card(model="N", version="1", references="1")))
    real, calls = score.run_plan, []

    def failing(plan, options, **more):
        calls.append(plan.mode)
        if len(calls) == 2:
            raise RefbenchError("the disk is full")
        return real(plan, options, **more)

    monkeypatch.setattr(score, "run_plan", failing)
    with pytest.raises(RefbenchError, match="the disk is full"):
        rb.score(toy.root, "dim", [submission, other], tmp_path / "store", protocols=PLAIN)
    assert len(list((tmp_path / "store").rglob("record.json"))) == 1
    assert calls == ["all", "1"]
