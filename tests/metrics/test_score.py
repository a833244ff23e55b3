"""Scoring: the same numbers for any batch size, order, workers, other submissions and interruptions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.images import read_rgb, write_png
from refbench.metrics import catalogue
from refbench.metrics.core.feature import PIXELS, Feature
from refbench.metrics.core.metric import NoReferenceMetric, ReferenceMetric, SetMetric
from refbench.metrics.protocols.pixel import psnr
from refbench.metrics.scoring import harness, score
from refbench.metrics.scoring.distributed import ALONE, Shard
from refbench.metrics.scoring.meter import measure
from refbench.metrics.scoring.score import Entry, score_images, score_many
from refbench.records.card import Card
from refbench.records.evaluation_modes import with_references
from refbench.records.protocol import Protocol
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet
from toys import POINTS, SIDE, noise, noisy_copies, write_noise_set

PIXEL_IDS = ("psnr/rgb", "ssim/rgb", "colour-shift/face-lab-v1", "colour-drift/face-lab-v1", "gain:psnr/rgb")


@pytest.fixture
def toy(tmp_path: Path) -> ReferenceSet:
    return write_noise_set(tmp_path / "set")


def score_toy(
    toy: ReferenceSet, images: Mapping[str, Path], *, model: str = "m", shard: Shard = ALONE, **options: Any
) -> Record:
    return score_images(
        toy, "dim", images, card=Card(model=model), shard=shard, **{"device": "cpu", **options}
    )


def as_tensor(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(read_rgb(path))).permute(2, 0, 1)[None].float() / 255.0


def as_bytes(record: Record, folder: Path) -> bytes:
    record.write(folder)
    return (folder / "scores.parquet").read_bytes() + (folder / "record.json").read_bytes()


@pytest.fixture
def vector_metrics(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A cheap compact feature with a metric of each kind, so that no weights are needed."""

    def load(device):
        return lambda batch: (batch.pixels.mean(dim=(2, 3)),)

    feature = Feature("mean-colour", (), load, batch=3, vector=True, compact=True)

    def protocol(name: str, compared_with: str) -> Protocol:
        return Protocol(
            name, name, False, "1", (0.0, None), compared_with, 4, (), "for tests", "none", "none"
        )

    added = (
        ReferenceMetric(
            protocol("toy/refs", "references"),
            feature,
            lambda mine, hq, groups: (mine - hq).abs().sum(dim=1) + sum(len(g) for g in groups) * 0,
        ),
        SetMetric(
            protocol("toy/set", "set"),
            feature,
            lambda a, b: float(abs(np.concatenate(list(a)).sum() - np.concatenate(list(b)).sum())),
            min_images=100,
        ),
        NoReferenceMetric(
            protocol("toy/red", "none"), PIXELS, lambda bundle: bundle[0][:, 0].mean(dim=(1, 2))
        ),
    )
    for metric in added:
        monkeypatch.setitem(catalogue.METRICS, metric.protocol.id, metric)
    return tuple(metric.protocol.id for metric in added)


def test_values_are_those_of_each_pair_by_itself(toy: ReferenceSet, tmp_path: Path, vector_metrics) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    record = score_toy(toy, images, protocols=(*PIXEL_IDS, *vector_metrics))
    table = record.scores.pivot(index="key", columns="protocol", values="value")
    assert len(table) == 14
    assert (record.scores.reason == "").all()
    for key, path in images.items():
        a, b = (np.moveaxis(read_rgb(p), 2, 0)[None] / 255.0 for p in (path, toy.hq_path(key)))
        pair = [torch.from_numpy(x.astype(np.float32)) for x in (a, b)]
        assert table.loc[key, "psnr/rgb"] == pytest.approx(psnr(*pair).item(), rel=1e-6)
        assert table.loc[key, "toy/red"] == pytest.approx(a[:, 0].mean(), rel=1e-5), "red is first"
    lq = {key: toy.lq_path("dim", key) for key in images}
    untouched = score_toy(toy, lq, model="lq", protocols=PIXEL_IDS).scores
    gains = untouched[untouched.protocol == "gain:psnr/rgb"].value
    assert (gains == 0).all()
    before = untouched[untouched.protocol == "psnr/rgb"].set_index("key").value
    np.testing.assert_allclose(
        table["gain:psnr/rgb"], table["psnr/rgb"] - before.loc[table.index], rtol=1e-12
    )
    assert record.info.set_scores["toy/set"].images == 14
    assert "14 images" in record.info.set_scores["toy/set"].warning
    assert record.info.benchmark.recipe == "dim@1"


@pytest.mark.parametrize("base", ["psnr/rgb", "colour-shift/face-lab-v1"], ids=["higher", "lower"])
def test_a_gain_is_above_zero_for_better_whatever_the_direction(
    toy: ReferenceSet, tmp_path: Path, base: str
) -> None:
    hq = {target.key: toy.hq_path(target.key) for target in toy.select("test")}
    black = {key: tmp_path / f"{key}.png" for key in hq}
    for key, path in black.items():
        write_png(path, np.zeros_like(read_rgb(hq[key])))
    ids = (base, f"gain:{base}")
    better, worse = (score_toy(toy, images, protocols=ids).scores for images in (hq, black))
    assert (better.value[better.protocol == ids[1]] > 1).all()
    assert (worse.value[worse.protocol == ids[1]] < -1).all()
    key = "p0_0"
    restored, truth, lq = (as_tensor(path) for path in (black[key], hq[key], toy.lq_path("dim", key)))
    measured = measure(ids[1], restored, truth, lq=lq, landmarks=np.array([POINTS]))
    table = worse[worse.protocol == ids[1]].set_index("key")
    assert measured.item() == pytest.approx(table.value[key], rel=1e-6)


def test_batches_workers_order_and_other_submissions_change_nothing(
    toy: ReferenceSet, tmp_path: Path, vector_metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, other = noisy_copies(toy, tmp_path / "a", 1), noisy_copies(toy, tmp_path / "b", 2)
    ids = (*PIXEL_IDS, *vector_metrics)
    alone = score_toy(toy, images, model="a", protocols=ids, workers=1)
    again = score_toy(toy, images, model="a", protocols=ids, workers=3)
    assert as_bytes(alone, tmp_path / "1") == as_bytes(again, tmp_path / "2")
    backwards = dict(sorted(images.items(), reverse=True))
    together = score_many(
        toy,
        [Entry("dim", Card(model="b"), other), Entry("dim", Card(model="a"), backwards)],
        protocols=ids,
        device="cpu",
        cache=tmp_path / "cache",
    )
    assert as_bytes(together[1], tmp_path / "3") == as_bytes(alone, tmp_path / "1")
    warm = score_toy(toy, images, model="a", protocols=ids, cache=tmp_path / "cache")
    assert as_bytes(warm, tmp_path / "4") == as_bytes(alone, tmp_path / "1")
    monkeypatch.setattr("refbench.metrics.scoring.chunks.CHUNK", 4)
    for batch_size in (1, 5):
        batched = score_toy(toy, images, model="a", protocols=ids, batch_size=batch_size)
        np.testing.assert_allclose(batched.scores.value, alone.scores.value, rtol=1e-5)
        for name, number in batched.info.set_scores.items():
            assert number.value == pytest.approx(alone.info.set_scores[name].value, rel=1e-5)


def test_images_that_cannot_be_scored_keep_a_row_with_the_reason(
    toy: ReferenceSet, tmp_path: Path, vector_metrics
) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    images["p0_0"].write_text("not a picture")
    whole = images["p1_1"].read_bytes()
    images["p1_1"].write_bytes(whole[: len(whole) // 2])
    del images["p2_2"]
    ids = (*PIXEL_IDS, *vector_metrics)
    with pytest.raises(FaultListError, match="missing: p2_2"):
        score_toy(toy, images, protocols=ids)
    record = score_toy(toy, images, protocols=ids, allow_missing=True)
    holes = record.scores[record.scores.value.isna()]
    reasons = holes.groupby("key").reason.first().to_dict()
    assert set(reasons) == {"p0_0", "p1_1", "p2_2"}
    assert "not a PNG" in reasons["p0_0"]
    assert "damaged" in reasons["p1_1"]
    assert reasons["p2_2"] == "no image was submitted"
    assert len(holes) == 3 * (len(ids) - 1)
    assert record.info.set_scores["toy/set"].images == 11


def test_a_face_without_landmarks_is_unscored_not_zero(toy: ReferenceSet, tmp_path: Path) -> None:
    blind = tuple(replace(t, landmarks=()) if t.key == "p0_0" else t for t in toy.targets)
    images = noisy_copies(toy, tmp_path / "sub")
    record = score_toy(ReferenceSet(toy.root, toy.info, blind), images, protocols=PIXEL_IDS)
    holes = record.scores[record.scores.value.isna()].set_index(["protocol", "key"]).reason
    assert "landmarks" in holes["colour-shift/face-lab-v1", "p0_0"]
    assert {key for _, key in holes.index} == {"p0_0", "p0_1", "p0_2"}, (
        "the two others have it as a reference"
    )
    assert not any(protocol == "psnr/rgb" for protocol, _ in holes.index)


def test_an_interrupted_run_resumes_to_the_same_bytes(
    toy: ReferenceSet, tmp_path: Path, vector_metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refbench.metrics.scoring.chunks.CHUNK", 3)
    images = noisy_copies(toy, tmp_path / "sub")
    ids = (*PIXEL_IDS, *vector_metrics)
    whole = as_bytes(
        score_toy(toy, images, protocols=ids),
        tmp_path / "whole",
    )
    done, real = [], harness.score_chunk

    def failing(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments)

    monkeypatch.setattr(score, "score_chunk", failing)
    with pytest.raises(KeyboardInterrupt):
        score_toy(toy, images, protocols=ids, work=tmp_path / "work")
    kept = sorted((tmp_path / "work").iterdir())
    assert kept
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    counted = []
    monkeypatch.setattr(score, "score_chunk", lambda *a: (counted.append(1), real(*a))[1])
    resumed = score_toy(toy, images, protocols=ids, work=tmp_path / "work")
    assert len(counted) == 4, "five chunks: one is kept, one was damaged, three were not reached"
    assert as_bytes(resumed, tmp_path / "resumed") == whole


def test_a_changed_image_is_scored_anew(toy: ReferenceSet, tmp_path: Path) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    first = score_toy(
        toy,
        images,
        protocols=("psnr/rgb",),
        work=tmp_path / "work",
    )
    write_png(images["p0_0"], read_rgb(toy.hq_path("p0_0")))
    second = score_toy(
        toy,
        images,
        protocols=("psnr/rgb",),
        work=tmp_path / "work",
    )
    changed = first.scores.value != second.scores.value
    assert list(second.scores.key[changed]) == ["p0_0"]
    assert second.scores.value[changed].item() == pytest.approx(80.0)
    assert first.info.submission_hash != second.info.submission_hash


def test_a_hq_image_that_changed_is_refused(toy: ReferenceSet, tmp_path: Path) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    write_png(toy.hq_path("p3_0"), noise(999, SIDE, SIDE + 8))
    with pytest.raises(InvalidInputError, match="changed since the set was built"):
        score_toy(toy, images, protocols=("psnr/rgb",))


def test_shards_together_give_what_one_process_gives(toy: ReferenceSet, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("refbench.metrics.scoring.chunks.CHUNK", 3)
    images = noisy_copies(toy, tmp_path / "sub")
    alone = score_toy(toy, images, protocols=PIXEL_IDS)
    with pytest.raises(RefbenchError, match="name one as work"):
        score_toy(
            toy,
            images,
            protocols=PIXEL_IDS,
            shard=Shard(0, 2),
        )
    with pytest.raises(RefbenchError, match="vanished"):
        score_toy(
            toy,
            images,
            protocols=PIXEL_IDS,
            work=tmp_path / "w",
            shard=Shard(0, 2),
            device="cpu:0",
        )
    second = score_toy(
        toy,
        images,
        protocols=PIXEL_IDS,
        work=tmp_path / "w",
        shard=Shard(1, 2),
        device="cpu:1",
    )
    assert as_bytes(second, tmp_path / "2") == as_bytes(alone, tmp_path / "1")


@pytest.mark.slow
def test_two_processes_under_torchrun(toy: ReferenceSet, tmp_path: Path) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    alone = score_toy(toy, images, protocols=PIXEL_IDS)
    script = tmp_path / "together.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from refbench.metrics.scoring import chunks\n"
        "from refbench.metrics.scoring.distributed import from_torchrun\n"
        "from refbench.metrics.scoring.score import score_images\n"
        "from refbench.records.card import Card\n"
        "from refbench.records.reference_set import ReferenceSet\n"
        "chunks.CHUNK = 3\n"
        "root = Path(sys.argv[1])\n"
        "shard, device = from_torchrun()\n"
        "device = f'{device}:{shard.index}'\n"
        "images = {path.stem: path for path in (root / 'sub').glob('*.png')}\n"
        f"ids = {PIXEL_IDS!r}\n"
        "toy = ReferenceSet.read(root / 'set')\n"
        "record = score_images(toy, 'dim', images, card=Card(model='m'), protocols=ids,\n"
        "                      device=device, work=root / 'work', shard=shard)\n"
        "record.write(root / f'record{shard.index}')\n"
    )
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*run, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for index in (0, 1):
        merged = Record.read(tmp_path / f"record{index}")
        np.testing.assert_array_equal(merged.scores.value, alone.scores.value)


def test_bfloat16_is_marked(toy: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    exact = catalogue.METRICS["psnr/rgb"]
    fast = replace(
        exact,
        protocol=replace(exact.protocol, id="toy/fast"),
        feature=replace(PIXELS, name="fast", halves=True),
    )
    monkeypatch.setitem(catalogue.METRICS, "toy/fast", fast)
    ids = ("psnr/rgb", "toy/fast")
    record = score_toy(toy, images, protocols=ids, precision="bfloat16")
    assert record.info.benchmark.protocols == ("psnr/rgb", "toy/fast+bf16")
    assert set(record.scores.protocol) == {"psnr/rgb", "toy/fast+bf16"}
    assert not catalogue.protocol_of("lpips/vgg-v0.1+bf16").higher_is_better


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"split": "val"}, "split 'val'"),
        ({"split": "some"}, "split: Input should be 'train', 'val', 'test' or 'all'"),
        ({"precision": "mixed"}, "precision: Input should be 'float32' or 'bfloat16'; got 'mixed'"),
        (
            {"batchsize": 3, "workers": 0},
            "(?s)workers: .*batchsize: no such option; did you mean 'batch_size'",
        ),
        ({"recipe": "unknown"}, "no LQ images of the recipe 'unknown'"),
        ({"protocols": ("psnr/rgb", "psnr/rgb")}, "named twice"),
        ({"protocols": ("lpips/alex",)}, "did you mean lpips/alex-v0.1"),
        ({"protocols": ()}, "no protocol"),
    ],
)
def test_wrong_options_are_explained(toy: ReferenceSet, tmp_path: Path, change: dict, word: str) -> None:
    images = noisy_copies(toy, tmp_path / "sub")
    recipe = change.pop("recipe", "dim")
    with pytest.raises(RefbenchError, match=word):
        score_images(toy, recipe, images, card=Card(model="m"), **({"protocols": "psnr/rgb"} | change))


def test_absent_weights_are_named_with_the_command(toy: ReferenceSet, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(RefbenchError) as caught:
        score_toy(toy, noisy_copies(toy, tmp_path / "sub"))
    assert "refbench weights fetch dlib-resnet dlib-resnet-manifest lpips-alexnet mobilefacenet" in str(
        caught.value
    )


def test_evaluation_modes_are_other_sets(toy: ReferenceSet) -> None:
    assert with_references(toy, "all") is toy
    one = with_references(toy, "1")
    assert {len(t.references) for t in one.select("test")} == {1}
    assert all(t.references == toy[t.key].references[:1] for t in one.targets)
    wrong = with_references(toy, "wrong")
    for target in wrong.select("test"):
        assert len(target.references) == len(toy[target.key].references)
        assert {wrong[key].identity for key in target.references}.isdisjoint({target.identity})
    assert len({s.info.content_hash for s in (toy, one, wrong)}) == 3
    again = with_references(toy, "wrong")
    assert [t.references for t in again.targets] == [t.references for t in wrong.targets]
    assert again.info.content_hash == wrong.info.content_hash
    assert all(np.isnan(t.reference_distances).all() for t in wrong.select("test"))
    assert with_references(toy, 1).info.content_hash == one.info.content_hash
    assert not with_references(toy, "0").select("test")
    with pytest.raises(RefbenchError, match="got 'some'"):
        with_references(toy, "some")


def test_the_record_holds_no_clock(toy: ReferenceSet, tmp_path: Path) -> None:
    record = score_toy(
        toy,
        noisy_copies(toy, tmp_path / "sub"),
        protocols=("psnr/rgb",),
    )
    said = json.dumps(record.info.provenance)
    assert "package torch" in said
    assert not any(word in said for word in ("time", "date", "202"))
