"""The light autoencoder without codebook, and mini models packed with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from refbench.errors import FaultListError, RefbenchError
from refbench.models.checkpoints import minis
from refbench.models.checkpoints.checkpoints import load_autoencoder, read_tensors, save_weights
from refbench.models.networks.autoencoder import Autoencoder
from refbench.models.training.settings import make_config
from refbench.models.training.train import train
from toy_training import LIGHT, light, rows, settings


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
