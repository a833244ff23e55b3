"""Training: every kind learns eight images, a killed run ends like a whole one, faults are said."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from refbench.degradations.training.augment import Augmentation
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.faces.align import ARCFACE_112
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.models.checkpoints import minis
from refbench.models.checkpoints.checkpoints import load_autoencoder, load_refldm, read_tensors, save_weights
from refbench.models.checkpoints.trained import load_trained
from refbench.models.diffusion.schedule import DiffusionConfig, Schedule
from refbench.models.networks.autoencoder import Autoencoder, AutoencoderConfig
from refbench.models.networks.identity_network import angular_margin_logits
from refbench.models.training import log as train_log
from refbench.models.training.config import OptimiserSettings
from refbench.models.training.data import Batches
from refbench.models.training.distributed import Distributed
from refbench.models.training.ema import Ema
from refbench.models.training.presets import TRAINING_PRESETS, training_preset
from refbench.models.training.settings import make_config, parse_assignments, read_settings
from refbench.models.training.train import rate_at, train
from refbench.models.training.validation import Validation
from refbench.records.reference_set import ReferenceSet
from torch import Tensor
from toys import write_cartoon_set

SIZE = 24
AUTOENCODER = {
    "channels": 32,
    "multipliers": [1, 2],
    "residual_blocks": 1,
    "latent_channels": 4,
    "codebook_channels": 4,
    "codebook_size": 64,
}
UNET = {
    "in_channels": 8,
    "out_channels": 4,
    "channels": 32,
    "multipliers": [1, 2],
    "residual_blocks": 1,
    "head_channels": 16,
}
TOWER = {"image_size": 16, "patch": 8, "channels": 32, "layers": 2, "heads": 2}
CONTEXT = {"identity": False, "tower": TOWER, "tower_source": "own", "layers": [2], "channels": 32}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people in train and one in test, two photos each, at 24 pixels."""
    return write_cartoon_set(tmp_path_factory.mktemp("set"), ["train"] * 4 + ["test"]).root


def settings(people: Path, kind: str, **more: Any) -> dict[str, Any]:
    common = {
        "kind": kind,
        "data": {"reference_set": str(people), "references": 1, "workers": 0, "recipe": "refldm-moderate"},
        "batch": 8,
        "ema_decay": 0.9,
        "optimiser": {"rate": 2e-3},
        "log_every": 1,
        "tensorboard": False,
    }
    models: dict[str, Any] = {
        "autoencoder": AUTOENCODER,
        "ldm": {"unet": UNET, "autoencoder": AUTOENCODER, "image_size": SIZE},
        "composite-context": {
            "unet": UNET | {"context_channels": 32},
            "autoencoder": AUTOENCODER,
            "context": CONTEXT,
            "image_size": SIZE,
        },
    }
    models["identity"] = {"channels": (16, 32), "embedding": 16}
    models["refldm"] = models["ldm"] | {"reference_encoding": "separate"}
    extra: dict[str, Any] = {"model": models[kind]}
    if kind == "identity":
        extra |= {"image_size": SIZE}
    elif kind == "autoencoder":
        extra |= {"image_size": SIZE, "perceptual": "none"}
    else:
        extra |= {"identity": {"weight": 0.0}}
    return common | extra | more


@pytest.fixture(scope="module")
def autoencoder(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("autoencoder")
    report = train(make_config(settings(people, "autoencoder", steps=60)), out)
    losses = read_log(out, "loss")
    assert losses[-1] < 0.4 * losses[0]
    assert report.losses["loss"] == losses[-1]
    return report.weights


def read_log(out: Path, name: str) -> list[float]:
    rows = (out / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index(name)
    return [float(row.split(",")[column]) for row in rows[1:]]


def test_autoencoder_learns_eight_images(autoencoder: Path, people: Path) -> None:
    model = load_autoencoder(autoencoder)
    batch = Batches(make_config(settings(people, "autoencoder", steps=1)).data, 8, SIZE, seed=0).first(8)
    with torch.inference_mode():
        restored = (model.decode(model.encode(batch.hq * 2 - 1)) + 1) / 2
    assert float((restored - batch.hq).abs().mean()) < 0.08
    assert (autoencoder.parent / "sheets" / "0000060.png").exists()


@pytest.mark.parametrize("kind", ["ldm", "refldm", "composite-context"])
def test_diffusion_learns_eight_images(kind: str, people: Path, autoencoder: Path, tmp_path: Path) -> None:
    given = settings(people, kind, steps=30, autoencoder=str(autoencoder))
    report = train(make_config(given), tmp_path)
    losses = read_log(tmp_path, "loss")
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])
    assert load_trained(report.weights).card.training_data.startswith("cartoons")
    assert (tmp_path / "sheets" / "0000030.png").exists()


def test_stopped_run_ends_like_a_whole_one(people: Path, autoencoder: Path, tmp_path: Path) -> None:
    given = settings(
        people, "refldm", steps=7, autoencoder=str(autoencoder), batch=2, save_every=3, log_every=2
    )
    run = make_config(given)
    train(run, tmp_path / "whole")
    train(run, tmp_path / "stopped", stop_at=3)
    (tmp_path / "stopped" / "log.csv").write_text(
        (tmp_path / "stopped" / "log.csv").read_text() + "4,1.0,2.0\n"
    )
    train(run, tmp_path / "stopped")
    for name in ("log.csv", "weights.safetensors"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    whole, stopped = (
        torch.load(tmp_path / name / "last.pt", weights_only=True)["weights"] for name in ("whole", "stopped")
    )
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_adversary_is_trained_and_taken_up(people: Path, tmp_path: Path) -> None:
    given = settings(people, "autoencoder", steps=4, batch=2, adversarial_from=2, save_every=2)
    run = make_config(given)
    train(run, tmp_path / "whole")
    train(run, tmp_path / "stopped", stop_at=2)
    train(run, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "log.csv").read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()
    header = (tmp_path / "whole" / "log.csv").read_text().splitlines()[0]
    assert header == "step,rate,loss,pixels,perceptual,codebook,adversarial,adversary"
    before, after = (
        torch.load(tmp_path / name / "last.pt", weights_only=True)["adversary"]
        for name in ("whole", "stopped")
    )
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_parts_of_a_batch_and_bfloat16_give_nearly_the_same(
    people: Path, autoencoder: Path, tmp_path: Path
) -> None:
    given = settings(people, "refldm", steps=3, autoencoder=str(autoencoder), batch=4)
    train(make_config(given), tmp_path / "whole")
    train(make_config(given, {"accumulate": 2}), tmp_path / "parts")
    train(make_config(given, {"precision": "bfloat16"}), tmp_path / "lower")
    whole = read_log(tmp_path / "whole", "loss")
    assert read_log(tmp_path / "parts", "loss") == pytest.approx(whole, rel=1e-3)
    assert read_log(tmp_path / "lower", "loss") == pytest.approx(whole, rel=0.05)
    assert read_log(tmp_path / "lower", "loss") != whole


@pytest.mark.slow
def test_two_processes_equal_one_with_a_batch_twice_as_large(
    people: Path, autoencoder: Path, tmp_path: Path
) -> None:
    given = settings(people, "refldm", steps=4, autoencoder=str(autoencoder), batch=4)
    train(make_config(given), tmp_path / "one")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(given | {"batch": 2}))
    (tmp_path / "go.py").write_text(
        "import sys; from pathlib import Path\n"
        "from refbench.models.train import train\n"
        "from refbench.models.train_settings import make_config, read_settings\n"
        "train(make_config(read_settings(Path(sys.argv[1]))), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [*command, "go.py", "run.yaml", "two"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert read_log(tmp_path / "two", "loss") == pytest.approx(read_log(tmp_path / "one", "loss"), rel=1e-3)


def test_start_from_other_weights(people: Path, autoencoder: Path, tmp_path: Path) -> None:
    ldm = train(make_config(settings(people, "ldm", steps=2, autoencoder=str(autoencoder))), tmp_path / "ldm")
    assert load_refldm(ldm.weights).config.reference_mechanism == "none"
    started: dict[str, Tensor] = {}
    for kind in ("refldm", "composite-context"):
        given = settings(people, kind, steps=1, autoencoder=str(autoencoder), start=str(ldm.weights))
        given |= {"optimiser": {"rate": 1e-9, "weight_decay": 0.0}}
        report = train(make_config(given), tmp_path / kind)
        started = read_tensors(report.weights)[0]
        wanted = read_tensors(ldm.weights)[0]["unet.input_blocks.0.0.weight"]
        assert torch.allclose(started["unet.input_blocks.0.0.weight"], wanted, atol=1e-5)
    given = settings(people, "ldm", steps=1, autoencoder=str(autoencoder), start=str(autoencoder))
    with pytest.raises(FaultListError, match="shares no weight"):
        train(make_config(given), tmp_path / "wrong")


class TestFaults:
    def test_other_settings_are_listed(self, people: Path, tmp_path: Path) -> None:
        given = settings(people, "autoencoder", steps=2, batch=2)
        train(make_config(given), tmp_path, stop_at=1)
        with pytest.raises(FaultListError, match=r"batch: 2, 4(.|\n)*model.channels: 32, 64"):
            train(make_config(given, {"batch": 4, "model": {"channels": 64}}), tmp_path)

    def test_loss_that_is_not_finite_keeps_the_last_checkpoint(self, people: Path, tmp_path: Path) -> None:
        given = settings(people, "autoencoder", steps=50, batch=2, save_every=1)
        given["optimiser"] = {"rate": 1e12}
        with pytest.raises(InvalidInputError, match=r"the loss is not finite .* on p\d_\d"):
            train(make_config(given), tmp_path)
        assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] >= 1

    def test_full_disk_keeps_the_last_checkpoint(
        self, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = make_config(settings(people, "autoencoder", steps=4, batch=2, save_every=2))
        train(run, tmp_path, stop_at=2)
        before = (tmp_path / "last.pt").read_bytes()

        def full(*given: object, **named: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(torch, "save", full)
            with pytest.raises(RefbenchError, match=r"step 4 .*No space.*is kept"):
                train(run, tmp_path)
        assert (tmp_path / "last.pt").read_bytes() == before
        assert train(run, tmp_path).steps == 4

    def test_sets_that_do_not_fit(self, people: Path, autoencoder: Path, tmp_path: Path) -> None:
        other_size = write_cartoon_set(tmp_path / "large", ["train", "test"], side=64).root
        with pytest.raises(InvalidInputError, match="images are 64x64, the model takes 24x24"):
            train(make_config(settings(other_size, "autoencoder", steps=1)), tmp_path / "a")
        mixed = write_cartoon_set(tmp_path / "mixed", ["train", "train"]).root
        chosen = ReferenceSet.read(mixed)
        moved = (replace(chosen.targets[0], split="test"), *chosen.targets[1:])
        ReferenceSet(chosen.root, chosen.info, moved).write()
        with pytest.raises(RefbenchError, match="1 people are in 'train' and in another split"):
            train(make_config(settings(mixed, "autoencoder", steps=1)), tmp_path / "b")
        bare = tuple(replace(t, references=(), reference_distances=()) for t in chosen.targets)
        ReferenceSet(chosen.root, chosen.info, bare).write()
        with pytest.raises(InvalidInputError, match="no image with references"):
            train(
                make_config(settings(mixed, "refldm", steps=1, autoencoder=str(autoencoder))), tmp_path / "c"
            )


class TestSettings:
    def test_layers_of_settings(self, tmp_path: Path) -> None:
        (tmp_path / "run.yaml").write_text("batch: 16\noptimiser: {warmup: 7}\n")
        words = ["optimiser.rate=1e-3", "data.reference_set=here", "autoencoder=a.safetensors", "steps=9"]
        words += ["data.augmentation.mirror_probability=0"]
        run = make_config(
            training_preset("refldm-paper"), read_settings(tmp_path / "run.yaml"), parse_assignments(words)
        )
        assert run.kind == "refldm"
        assert (run.batch, run.steps) == (16, 9)
        assert (run.optimiser.rate, run.optimiser.warmup) == (1e-3, 7)
        assert (run.data.augmentation.mirror_probability, run.data.augmentation.colour) == (0, 0.2)
        assert make_config(yaml.safe_load(yaml.safe_dump(run.model_dump(mode="json")))) == run

    def test_faults_are_all_listed(self) -> None:
        with pytest.raises(FaultListError) as raised:
            make_config({"kind": "ldm", "steps": 0, "typo": 1, "optimiser": {"rate": -1}})
        text = str(raised.value)
        assert all(name in text for name in ("steps", "typo", "optimiser.rate", "autoencoder", "data"))
        with pytest.raises(FaultListError, match=r"data\.augmentation\.mirror: "):
            make_config({"kind": "ldm", "data": {"augmentation": {"mirror": 0}}})
        with pytest.raises(RefbenchError, match="name=value"):
            parse_assignments(["steps"])
        with pytest.raises(RefbenchError, match="known: autoencoder-paper"):
            training_preset("nosuch")

    def test_presets_are_whole(self) -> None:
        for name, given in TRAINING_PRESETS.items():
            rest = {"data": {"reference_set": "set"}}
            run = make_config(
                given, rest, {} if name.startswith(("auto", "identity")) else {"autoencoder": "a.safetensors"}
            )
            assert run.steps >= (150_000 if "paper" in name else 20_000)

    def test_rate_warms_up_and_falls(self) -> None:
        chosen = OptimiserSettings(rate=1.0, warmup=10, schedule="cosine", final_share=0.01)
        rates = [rate_at(chosen, step, 110) for step in range(1, 111)]
        assert rates[4] == 0.5
        assert max(rates) == rates[9] == 1.0
        assert rates[-1] == pytest.approx(0.01)
        assert all(before > after for before, after in pairwise(rates[10:]))


def test_average_equals_its_closed_form() -> None:
    values = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = {"w": values[0].clone()}
    ema = Ema(weight, decay=0.8)
    for value in values[1:]:
        weight["w"].copy_(value)
        ema.update(weight)
    decays = [min(0.8, (1 + n) / (10 + n)) for n in range(1, 40)]
    shares = [1 - decay for decay in decays]
    closed = values[0] * np.prod(decays)
    for n, share in enumerate(shares):
        closed = closed + values[n + 1] * share * np.prod(decays[n + 1 :])
    assert torch.allclose(ema.averages["w"], closed)
    with ema.in_place_of(weight):
        assert torch.equal(weight["w"], ema.averages["w"])
    assert torch.equal(weight["w"], values[-1])


def test_batches_depend_on_seed_and_step_alone(people: Path) -> None:
    data = make_config(settings(people, "autoencoder", steps=1)).data

    def batches(first: int, workers: int, **more: Any) -> list[Any]:
        stream = Batches(data.model_copy(update={"workers": workers}), 3, SIZE, **{"seed": 1} | more).since(
            first
        )
        return [next(stream) for _ in range(4)]

    whole, later = batches(0, 0), batches(2, 1)
    for left, right in zip(whole[2:], later[:2], strict=True):
        assert left.keys == right.keys
        assert torch.equal(left.lq, right.lq)
        assert torch.rand(3, generator=left.generators[0]).equal(torch.rand(3, generator=right.generators[0]))
    assert batches(0, 0, seed=2)[0].keys != whole[0].keys
    assert not torch.equal(whole[0].lq[:1], whole[2].lq[:1])
    halves = [Batches(data, 1, SIZE, seed=1, distributed=Distributed(rank, 3)).since(0) for rank in range(3)]
    assert [next(half).keys[0] for half in halves] == list(whole[0].keys)


STILL = Augmentation(
    colour=0, hue=0, degrees=0, shift=0, scale=(1, 1), perspective_probability=0, mirror_probability=0
)


def test_references_are_augmented_as_the_settings_say(people: Path) -> None:
    data = make_config(settings(people, "autoencoder", steps=1)).data
    left = data.model_copy(update={"augmentation": STILL, "target_as_reference": 1.0})
    for given, same in ((left, True), (left.model_copy(update={"augmentation": Augmentation()}), False)):
        batch = next(Batches(given, 3, SIZE, seed=1).since(0))
        assert torch.equal(batch.references[:, 0], batch.hq) == same


LIGHT = AutoencoderConfig(
    channels=32,
    multipliers=(1, 2),
    residual_blocks=1,
    latent_channels=4,
    codebook_channels=4,
    codebook_size=0,
    patch=2,
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def light(people: Path, **more: Any) -> dict[str, Any]:
    return settings(people, "autoencoder", model=LIGHT.model_dump(), latent_noise=0.1, **more)


def test_standardised_latents_give_the_same_images() -> None:
    torch.manual_seed(0)
    autoencoder = Autoencoder(LIGHT).requires_grad_(False)
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    latents = autoencoder.encode(images)
    before = autoencoder.decode(latents)
    flat = latents.transpose(0, 1).flatten(1)
    autoencoder.standardise(flat.mean(1), flat.std(1))
    latents = autoencoder.encode(images)
    flat = latents.transpose(0, 1).flatten(1)
    assert latents.shape == (4, 4, 4, 4)
    assert torch.allclose(flat.mean(1), torch.zeros(4), atol=1e-5)
    assert torch.allclose(flat.std(1), torch.ones(4), atol=1e-5)
    assert torch.allclose(autoencoder.decode(latents), before, atol=1e-5)


def test_light_autoencoder_learns_and_its_decoder_learns_on(people: Path, tmp_path: Path) -> None:
    report = train(make_config(light(people, steps=40)), tmp_path / "whole")
    losses = [float(row["loss"]) for row in rows(tmp_path / "whole" / "log.csv")]
    assert losses[-1] < 0.4 * losses[0]
    begun, _ = read_tensors(report.weights)
    given = light(people, steps=5, start=str(report.weights), decoder_only=True)
    train(make_config(given), tmp_path / "decoder")
    further, _ = read_tensors(tmp_path / "decoder" / "weights.safetensors")
    moved = {name.partition(".")[0] for name in begun if not torch.equal(begun[name], further[name])}
    assert moved == {"decoder", "post_quant_conv"}
    with pytest.raises(FaultListError, match="decoder_only needs start"):
        make_config(light(people, steps=5, decoder_only=True))
    with pytest.raises(RefbenchError, match="other sizes"):
        train(make_config(given, {"model": {"channels": 64}}), tmp_path / "other")


def test_recogniser_learns_and_serves_by_its_file(people: Path, tmp_path: Path) -> None:
    given = settings(people, "identity", steps=40, lq_share=0.0)
    train(make_config(given), tmp_path)
    log = rows(tmp_path / "log.csv")
    assert float(log[-1]["loss"]) < 0.3 * float(log[0]["loss"])
    assert np.mean([float(row["right"]) for row in log[-5:]]) > 0.9
    recogniser = load_recogniser(str(tmp_path / "recogniser.pt"))
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    vectors = recogniser.embed(list(crops), np.repeat(ARCFACE_112[None], 3, 0))
    assert vectors.shape == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    tensors, description = read_tensors(tmp_path / "weights.safetensors")
    assert description["model"] == "IdentityNetwork"
    assert not any("centres" in name for name in tensors)


def test_margin_makes_the_right_angle_wider() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(5, 8, dtype=torch.float64), dim=1)
    centres, who = torch.randn(3, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    plain = angular_margin_logits(vectors, centres, who, margin=0.0, scale=1.0)
    wide = angular_margin_logits(vectors, centres, who, margin=0.3, scale=2.0) / 2
    right = torch.nn.functional.one_hot(who, 3).bool()
    assert torch.allclose(wide[~right], plain[~right])
    assert torch.allclose(wide[right].acos(), (plain[right].acos() + 0.3).clamp(max=torch.pi))


@pytest.mark.parametrize("kind", ["refldm", "composite-context"])
def test_forgetting_changes_nothing(kind: str, people: Path, tmp_path: Path, autoencoder: Path) -> None:
    given = settings(people, kind, steps=2, autoencoder=str(autoencoder), batch=2)
    for name, forget in (("kept", False), ("forgotten", True)):
        train(make_config(given, {"gradient_checkpointing": forget}), tmp_path / name)
    kept, forgotten = (
        read_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("kept", "forgotten")
    )
    assert all(torch.equal(kept[name], forgotten[name]) for name in kept)


def test_validation_is_logged_and_taken_up(tmp_path: Path, need_weights: Callable[..., None]) -> None:
    need_weights("lpips-alexnet", "dlib-resnet", "dlib-resnet-manifest")
    people = write_cartoon_set(tmp_path / "set", ["train", "test"], side=64).root
    given = light(people, steps=4, batch=2, validation={"every": 2, "images": 2, "split": "test"})
    given["image_size"] = 64
    train(make_config(given), tmp_path / "whole")
    train(make_config(given), tmp_path / "stopped", stop_at=3)
    train(make_config(given), tmp_path / "stopped")
    found = rows(tmp_path / "whole" / "validation.csv")
    assert [row["step"] for row in found] == ["2", "4"]
    assert found == rows(tmp_path / "stopped" / "validation.csv")
    assert 0 < float(found[1]["psnr"]) < 60
    assert -1 <= float(found[1]["ids"]) <= 1
    assert float(found[0]["lpips"]) > 0
    loss = settings(people, "refldm", steps=1, autoencoder="a", validation={"every": 1})
    loss["identity"] = {"weight": 0.1, "recogniser": "dlib-resnet"}
    with pytest.raises(RefbenchError, match="is the one in the loss"):
        Validation(make_config(loss), 24, True, device="cpu")  # type: ignore[arg-type]


def test_validation_never_gives_the_target_as_its_reference(
    people: Path, need_weights: Callable[..., None]
) -> None:
    need_weights("lpips-alexnet", "dlib-resnet", "dlib-resnet-manifest")
    given = settings(people, "refldm", steps=1, autoencoder="a", validation={"every": 1, "split": "test"})
    given["data"] |= {"target_as_reference": 1.0, "augmentation": STILL.model_dump()}
    run = make_config(given)
    assert run.kind == "refldm"
    batch = Validation(run, SIZE, True, device="cpu").batch
    assert not any(torch.equal(own[0], hq) for own, hq in zip(batch.references, batch.hq, strict=True))


def test_tensorboard_beside_csv_or_a_word(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    given = light(people, steps=2, batch=2) | {"tensorboard": True}
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(make_config(given), tmp_path / "without")
    assert f"it is not installed ({train_log.INSTALL_TENSORBOARD})" in capsys.readouterr().err
    monkeypatch.undo()
    pytest.importorskip("tensorboard")
    train(make_config(given), tmp_path / "with")
    assert list((tmp_path / "with" / "tensorboard").glob("events*"))
    said = capsys.readouterr().err
    assert "autoencoder step 2 of 2: loss" in said
    assert "0:00 h left" in said


def test_velocity_tells_the_noise() -> None:
    schedule = Schedule.from_config(DiffusionConfig(prediction="velocity"))
    x0, noise = torch.randn(2, 4, 8, 4, 4, dtype=torch.float64)
    t = torch.tensor([0, 300, 700, 999])
    x_t = schedule.add_noise(x0, noise, t)
    signal, spread = schedule.scales(t, x0)
    found = schedule.predicted_noise((signal * noise - spread * x0).double(), x_t, t)
    assert torch.allclose(found.double(), noise, atol=1e-5)
    assert schedule.predicted_noise(x0, x_t, t) is not x0
    assert Schedule.from_config(DiffusionConfig()).predicted_noise(x0, x_t, t) is x0


def test_minis_are_packed_without_what_they_share(people: Path, tmp_path: Path) -> None:
    given = light(people, steps=2, batch=2)
    begun = train(make_config(given), tmp_path / "autoencoder")
    model = {"autoencoder": LIGHT.model_dump(), "diffusion": {"prediction": "velocity"}}
    ldm = settings(people, "ldm", steps=1, batch=2, autoencoder=str(begun.weights))
    train(make_config(ldm, {"model": model}), tmp_path / "ldm")
    folder = tmp_path / "minis"
    minis.pack(tmp_path / "autoencoder", {"licence": "research use"}, folder)
    path = minis.pack(tmp_path / "ldm", None, folder)
    names = read_tensors(path)[0]
    assert names
    assert not any(name.startswith("autoencoder.") for name in names)
    lq = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), (256, 256), mode="bilinear")
    generator = torch.Generator().manual_seed(0)
    loaded = minis.load_mini("ldm", folder=folder)
    assert loaded.card.model == "ldm-mini"
    assert loaded.restorer.sampling.steps == minis.STEPS
    restored = loaded.restore(lq, [torch.empty(0, 3, 256, 256)], [generator])
    assert restored.shape == lq.shape
    back = minis.load_mini("autoencoder", folder=folder)
    wanted = load_autoencoder(begun.weights)
    small = torch.nn.functional.avg_pool2d(lq, 2)
    with torch.inference_mode():
        direct = (wanted.decode(wanted.encode(small * 2 - 1)) / 2 + 0.5).clamp(0, 1)
    assert torch.allclose(back.restore(small, [], []), direct, atol=0.02)
    other = Autoencoder(LIGHT)
    save_weights(other, LIGHT, folder / "autoencoder.safetensors", dtype=torch.float16)
    with pytest.raises(RefbenchError, match="another autoencoder"):
        minis.pack(tmp_path / "ldm", None, folder)


def test_first_images_do_not_depend_on_what_was_read(people: Path) -> None:
    data = make_config(settings(people, "ldm", steps=1, autoencoder="a")).data
    batches = Batches(data, 2, 24, seed=0)
    before = batches.first(3)
    next(batches.since(5))
    after = batches.first(3)
    assert torch.equal(before.lq, after.lq)
