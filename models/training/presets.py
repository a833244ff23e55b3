"""Training presets: the papers' schedules (``-paper``), and small models for 128x128 pixels (``-mini``).

A mini can be trained on a CPU: an autoencoder without codebook and without the finest level, a U-Net of 4.5 M
parameters with velocity prediction, and an identity loss by a small recogniser.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ...deprecated import warn
from ...errors import RefbenchError

Settings = Mapping[str, Any]

PAPER_LDM: Settings = {
    "steps": 500_000,
    "batch": 40,
    "optimiser": {"rate": 5e-5, "warmup": 10_000},
    "reference_dropout": 0.0,
    "identity": {"weight": 0.0},
}
PAPER_REFLDM: Settings = {
    "steps": 150_000,
    "batch": 8,
    "optimiser": {"rate": 5e-5, "warmup": 10_000},
}

MINI_AUTOENCODER: Settings = {
    "channels": 32,
    "multipliers": [1, 2, 4],
    "residual_blocks": 1,
    "latent_channels": 8,
    "codebook_channels": 8,
    "codebook_size": 0,
    "patch": 2,
}
MINI_UNET: Settings = {
    "channels": 64,
    "multipliers": [1, 2, 2],
    "residual_blocks": 1,
    "attention_at": [1, 2],
    "positions": True,
}
MINI_MODEL: Settings = {
    "autoencoder": MINI_AUTOENCODER,
    "unet": MINI_UNET,
    "diffusion": {"prediction": "velocity"},
    "image_size": 128,
}
MINI_RUN: Settings = {
    "steps": 20_000,
    "batch": 16,
    "precision": "mixed",
    "ema_decay": 0.999,
    "optimiser": {"rate": 5e-4, "warmup": 200, "weight_decay": 0.0, "clip": 1.0},
    "log_every": 50,
    "save_every": 200,
    "sheet_every": 400,
    "validation": {"recogniser": "mobilefacenet"},
}
MINI_IDENTITY: Settings = {"recogniser": "dlib-resnet", "weight": 4.0, "images": 8, "target": "hq"}
MINI_DATA: Settings = {
    "recipe": "refldm-train-128",
    "augmentation": {"mirror_probability": 0.0, "distortion": 0.05, "shift": 0.02},
}
MINI_TOWER: Settings = {"image_size": 64, "patch": 8, "channels": 128, "layers": 4, "heads": 4}
MINI_CONTEXT: Settings = {
    "recogniser": "dlib-resnet",
    "identity_channels": 128,
    "tower": MINI_TOWER,
    "tower_source": "own",
    "layers": [2, 4],
    "channels": 192,
}

TRAINING_PRESETS: Mapping[str, Settings] = MappingProxyType(
    {
        "autoencoder-paper": {
            "kind": "autoencoder",
            "steps": 200_000,
            "batch": 32,
            "optimiser": {"rate": 1e-4, "warmup": 10_000, "schedule": "cosine", "final_share": 0.01},
        },
        "ldm-paper": {"kind": "ldm", **PAPER_LDM},
        "refldm-paper": {"kind": "refldm", **PAPER_REFLDM},
        "composite-context-paper": {"kind": "composite-context", **PAPER_REFLDM, "data": {"references": 1}},
        "autoencoder-mini": {
            "kind": "autoencoder",
            **MINI_RUN,
            "data": {"recipe": "refldm-train-128"},
            "optimiser": {"rate": 1e-3, "warmup": 100, "weight_decay": 0.0, "clip": 1.0},
            "image_size": 128,
            "model": MINI_AUTOENCODER,
            "perceptual": "alex",
            "perceptual_weight": 0.5,
            "latent_noise": 0.1,
            "adversarial_from": 1_000_000,
        },
        "ldm-mini": {
            "kind": "ldm",
            **MINI_RUN,
            "data": {"recipe": "refldm-train-128"},
            "model": MINI_MODEL,
            "reference_dropout": 0.0,
            "identity": {**MINI_IDENTITY, "weight": 0.0},
        },
        "refldm-mini": {
            "kind": "refldm",
            **MINI_RUN,
            "data": {**MINI_DATA, "references": 2},
            "model": {**MINI_MODEL, "reference_encoding": "separate"},
            "identity": MINI_IDENTITY,
        },
        "composite-context-mini": {
            "kind": "composite-context",
            **MINI_RUN,
            "data": {**MINI_DATA, "references": 1},
            "model": {
                **MINI_MODEL,
                "unet": {**MINI_UNET, "context_channels": 192, "context_grid": 8},
                "context": MINI_CONTEXT,
            },
            "identity": {**MINI_IDENTITY, "reference_share": 0.5},
        },
        "identity-mini": {
            "kind": "identity",
            **MINI_RUN,
            "data": {"recipe": "refldm-train-128"},
            "batch": 32,
            "image_size": 128,
        },
    }
)


def training_preset(name: str) -> Settings:
    """Settings of a training preset, for `make_config`; `TRAINING_PRESETS` lists the names.

    Raises:
        RefbenchError: no such preset.
    """
    if name not in TRAINING_PRESETS:
        raise RefbenchError(f"no preset {name!r}; known: {', '.join(TRAINING_PRESETS)}")
    return TRAINING_PRESETS[name]


def __getattr__(name: str) -> Any:
    """`TRAINING_PRESETS` and `training_preset` by their names in 0.1."""
    new = {"PRESETS": "TRAINING_PRESETS", "preset": "training_preset"}.get(name)
    if new is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"{__name__}.{name}", f"{__name__}.{new}")
    return globals()[new]
