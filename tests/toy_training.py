"""Training runs of toy size on 24-pixel cartoons, for the tests of training."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from refbench.degradations.training.augment import Augmentation
from refbench.models.networks.autoencoder import AutoencoderConfig

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
STILL = Augmentation(
    colour=0, hue=0, degrees=0, shift=0, scale=(1, 1), perspective_probability=0, mirror_probability=0
)
LIGHT = AutoencoderConfig(
    channels=32,
    multipliers=(1, 2),
    residual_blocks=1,
    latent_channels=4,
    codebook_channels=4,
    codebook_size=0,
    patch=2,
)


def settings(people: Path, kind: str, **more: Any) -> dict[str, Any]:
    """Settings of a run, some replaced by ``more``; no sample sheets, which take longer than training."""
    common = {
        "kind": kind,
        "data": {"reference_set": str(people), "references": 1, "workers": 0, "recipe": "refldm-moderate"},
        "batch": 8,
        "ema_decay": 0.9,
        "optimiser": {"rate": 2e-3},
        "log_every": 1,
        "tensorboard": False,
        "sheet_every": 0,
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


def light(people: Path, **more: Any) -> dict[str, Any]:
    """Settings of a run of the light autoencoder."""
    return settings(people, "autoencoder", model=LIGHT.model_dump(), latent_noise=0.1, **more)


def read_log(out: Path, name: str) -> list[float]:
    """A column of the log of a run."""
    rows = (out / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index(name)
    return [float(row.split(",")[column]) for row in rows[1:]]


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
