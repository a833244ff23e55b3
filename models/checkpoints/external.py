"""Restorers from external weights: the released ReF-LDM, and users' own checkpoint files.

Files written by `save_weights` contain their configuration. A bare ``state_dict`` needs a YAML file of the
same stem beside it: ``model`` (RefLdm or CompositeContext), ``config`` and, if known, ``name``, ``licence``,
``training_data`` and ``paper``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...errors import RefbenchError, UnreadableTextError
from ...files import StrPath, sha256_file
from ...records.card import RestorerCard
from ...text_files import read_yaml
from ...weights import weight_files
from ..composite_context.restorer import CompositeContextRestorer
from ..networks.autoencoder import Autoencoder
from ..refldm.model import RefLdm, RefLdmConfig
from ..refldm.restorer import PRESETS, RefLdmRestorer
from ..restorers.sampling import choose_sampling, version_with
from .checkpoints import (
    Choice,
    Tensors,
    UnusableWeightsError,
    build_autoencoder,
    build_refldm,
    read_tensors,
    save_weights,
)
from .trained import build_restorer

COMPOSITE_FILE = "composite-context.safetensors"


def load_external(
    path: Path, preset: str | None = None, device: str = "cpu"
) -> RefLdmRestorer | CompositeContextRestorer:
    """Load a restorer from a safetensors or PyTorch file, strictly by name and shape.

    Raises:
        UnusableWeightsError: no such file, unreadable, refers to code, or of an unknown model.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
        RefbenchError: an unknown preset or setting; weights of a frozen tower that are absent.
    """
    tensors, description = read_tensors(path)
    description = description or read_sidecar(path)
    if description:
        return build_restorer(path, tensors, description, preset=preset, device=device)
    if any(name.startswith(("model_ema.", "model.diffusion_model.")) for name in tensors):
        return _released(path, tensors, preset=preset, device=device)
    if is_autoencoder(tensors):
        raise UnusableWeightsError(f"{path} holds an autoencoder alone; a restorer is in refldm.ckpt")
    beside = path.with_suffix(".yaml").name
    raise UnusableWeightsError(
        f"{path} does not contain its configuration; write beside it {beside} with `model: CompositeContext` "
        "(or RefLdm) and `config:`, see docs/models.md"
    )


def load_released_refldm(path: Path, preset: str | None = None, device: str = "cpu") -> RefLdmRestorer:
    """Load the released ReF-LDM checkpoint as a restorer; errors as in `load_external`."""
    return _released(path, read_tensors(path)[0], preset=preset, device=device)


def convert_release(
    source: StrPath,
    out: StrPath,
    *,
    choose: Choice = "ema",
    dtype: torch.dtype = torch.float32,
    config: RefLdmConfig | None = None,
) -> RefLdm | Autoencoder:
    """Convert a released checkpoint, of ReF-LDM or its autoencoder, to safetensors.

    The file contains one copy of the weights, the configuration and the licence.

    Args:
        source: ``refldm.ckpt`` or ``vqgan.ckpt``.
        out: file to write.
        choose: ``ema`` or ``raw`` weights.
        dtype: floating point type in the file.
        config: sizes of the network; None for those of the release.

    Raises:
        UnusableWeightsError, MismatchedWeightsError: see `load_external`.
    """
    source = Path(source)
    out = Path(out)
    config = config or RefLdmConfig()
    tensors, description = read_tensors(source)
    model: RefLdm | Autoencoder
    if is_autoencoder(tensors):
        model = build_autoencoder(source, tensors, description, config=config.autoencoder)
    else:
        model = build_refldm(source, tensors, description, config=config, choose=choose)
    save_weights(model, model.config, out, dtype=dtype, facts=release_facts())
    return model


def release_facts() -> dict[str, str]:
    """Name, licence, training data and paper of the released weights."""
    return {
        "name": "ReF-LDM",
        "licence": weight_files.TABLE["refldm"].licence,
        "training_data": "FFHQ-Ref and FFHQ",
        "paper": "https://arxiv.org/abs/2412.05043",
    }


def is_autoencoder(tensors: Tensors) -> bool:
    """Whether these are weights of an autoencoder only, such as ``vqgan.ckpt``."""
    return any(name.startswith("encoder.") for name in tensors)


def _released(path: Path, tensors: Tensors, *, preset: str | None, device: str) -> RefLdmRestorer:
    sampling = choose_sampling(PRESETS, preset, "refldm")
    model = build_refldm(path, tensors, {})
    digest, facts = sha256_file(path), release_facts()
    version = "released" if digest == weight_files.TABLE["refldm"].sha256 else f"sha256 {digest[:12]}"
    card = RestorerCard(
        model=facts["name"],
        version=version_with(version, PRESETS, sampling),
        references_used=sampling.references,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        licence=facts["licence"],
        training_data=facts["training_data"],
        paper=facts["paper"],
        notes=sampling.describe(),
    )
    return RefLdmRestorer(model, sampling, card, device=device)


def load_composite_context(preset: str | None = None, device: str = "cpu") -> CompositeContextRestorer:
    """Load the user's composite-context weights as a restorer; errors as in `load_external`."""
    named = os.environ.get(weight_files.variable_of("composite-context"))
    path = Path(named).expanduser() if named else weight_files.folder() / COMPOSITE_FILE
    if not path.is_file():
        raise RefbenchError(
            f"{path}: no such file. No weights of the composite-context model are published: train them\n"
            "    refbench train composite-context SET --out RUN --preset composite-context-paper\n"
            "and put RUN/weights.safetensors there, or name it in "
            f"{weight_files.variable_of('composite-context')}"
        )
    restorer = load_external(path, preset, device)
    if not isinstance(restorer, CompositeContextRestorer):
        raise UnusableWeightsError(f"{path} holds a ReF-LDM; wanted a composite-context model")
    return restorer


def read_sidecar(path: Path) -> Mapping[str, Any]:
    """Read the description of a checkpoint from the YAML file of the same stem; empty where there is none.

    Raises:
        UnusableWeightsError: unreadable, or without ``model`` and ``config``.
    """
    beside = path.with_suffix(".yaml")
    if not beside.is_file():
        return {}
    try:
        content = read_yaml(beside)
    except UnreadableTextError as error:
        raise UnusableWeightsError(f"{beside} is not readable YAML: {error.reason}") from None
    if not isinstance(content, dict) or not {"model", "config"} <= content.keys():
        raise UnusableWeightsError(f"{beside} must hold `model` and `config`")
    return content
