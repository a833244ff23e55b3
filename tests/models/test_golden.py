"""ReF-LDM against vectors of the authors' code, on the committed cases and on those of ``--golden``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from refbench.models.checkpoints.checkpoints import load_refldm
from refbench.models.diffusion.ddim import ddim, spaced_timesteps
from refbench.models.networks.autoencoder import AutoencoderConfig
from refbench.models.networks.unet import UNetConfig
from refbench.models.refldm.model import RefLdm, RefLdmConfig
from safetensors.torch import load_file
from torch import Tensor

SINGLE_PASS, SAMPLED = 1e-4, 1e-3


@dataclass
class Case:
    name: str
    settings: dict[str, Any]
    model: RefLdm
    vectors: dict[str, Tensor]

    def differs(self, name: str, got: Tensor) -> float:
        wanted = self.vectors[name]
        assert got.shape == wanted.shape
        return float((got - wanted).norm() / wanted.norm())


def load_case(folder: Path) -> Case:
    settings = json.loads((folder / "config.json").read_text())
    unet, autoencoder = settings["unet"], settings["autoencoder"]
    config = RefLdmConfig(
        unet=UNetConfig(
            in_channels=unet["in_channels"],
            out_channels=unet["out_channels"],
            channels=unet["model_channels"],
            multipliers=unet["channel_mult"],
            residual_blocks=unet["num_res_blocks"],
            attention_at=unet.get("attention_resolutions", UNetConfig().attention_at),
            head_channels=unet["num_head_channels"],
        ),
        autoencoder=AutoencoderConfig(
            channels=autoencoder["ch"],
            multipliers=autoencoder["ch_mult"],
            residual_blocks=autoencoder["num_res_blocks"],
            latent_channels=autoencoder["z_channels"],
            codebook_channels=autoencoder["embed_dim"],
            codebook_size=autoencoder["n_embed"],
        ),
        image_size=autoencoder["resolution"],
    )
    model = load_refldm(folder / "weights.safetensors", config, choose="raw")
    return Case(folder.name, settings, model, load_file(folder / "vectors.safetensors"))


@pytest.fixture(scope="module")
def cases(golden_dirs: list[Path]) -> list[Case]:
    folders = [found.parent for folder in golden_dirs for found in sorted(folder.glob("*/config.json"))]
    assert len(folders) >= 2
    return [load_case(folder) for folder in folders]


@torch.inference_mode()
def test_autoencoder(cases: list[Case]) -> None:
    for case in cases:
        autoencoder = case.model.autoencoder
        latents = autoencoder.encode(case.vectors["gt"])
        assert case.differs("gt_latent", latents) < SINGLE_PASS, case.name
        assert case.differs("gt_quantized", autoencoder.quantize(latents)) < SINGLE_PASS, case.name
        assert case.differs("gt_reconstruction", autoencoder.decode(latents)) < SINGLE_PASS, case.name
        assert case.differs("lq_latent", autoencoder.encode(case.vectors["lq"])) < SINGLE_PASS, case.name


@torch.inference_mode()
def test_wide_encoding_of_references(cases: list[Case]) -> None:
    for case in cases:
        latents = case.model.encode_references((case.vectors["refs"] + 1) / 2)
        assert case.differs("ref_latents_wide", torch.cat(latents.unbind(1), -1)) < SINGLE_PASS, case.name


def reference_latents(case: Case) -> Tensor:
    count = case.vectors["refs"].shape[1]
    return torch.stack(case.vectors["ref_latents_wide"].chunk(count, -1), 1)


@torch.inference_mode()
def test_noise_with_null_and_without_references(cases: list[Case]) -> None:
    for case in cases:
        latents = reference_latents(case)
        given = (case.vectors["x_t"], case.vectors["t"], case.vectors["lq_latent"])
        cache = case.model.cache_references(latents)
        null = case.model.cache_null(tuple(latents.shape[-2:]), latents.shape[1])
        zeros = case.model.cache_references(torch.zeros_like(latents))
        assert case.differs("eps_with_refs", case.model.eps(*given, memory=cache)) < SINGLE_PASS, case.name
        assert case.differs("eps_null_refs", case.model.eps(*given, memory=null)) < SINGLE_PASS, case.name
        assert case.differs("eps_null_refs", case.model.eps(*given, memory=zeros)) < SINGLE_PASS, case.name
        assert case.differs("eps_no_attention_to_refs", case.model.eps(*given)) < SINGLE_PASS, case.name
        assert case.differs("eps_null_refs", case.model.eps(*given, memory=cache)) > 0.01, case.name


@torch.inference_mode()
def test_sampling(cases: list[Case]) -> None:
    for case in cases:
        settings = case.settings
        steps = spaced_timesteps(settings["ddim_steps"], settings["ddim_schedule"])
        assert steps == case.vectors["ddim_timesteps"].tolist(), case.name
        latents = reference_latents(case)
        cache = case.model.cache_references(latents)
        null = case.model.cache_null(tuple(latents.shape[-2:]), latents.shape[1])
        eps = case.model.guided_eps(case.vectors["lq_latent"], cache, null, scale=settings["guidance_scale"])
        restored = ddim(eps, case.vectors["x_T"], case.model.schedule, timesteps=steps)
        assert case.differs("ddim_latent", restored) < SAMPLED, case.name
        assert case.differs("ddim_image", case.model.autoencoder.decode(restored)) < SAMPLED, case.name


def test_schedule(cases: list[Case]) -> None:
    for case in cases:
        assert case.differs("betas", case.model.schedule.betas) < 1e-6, case.name
        assert case.differs("alphas_cumprod", case.model.schedule.alphas_cumprod) < 1e-6, case.name
