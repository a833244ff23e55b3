"""Restorers from weights of `refbench train`: safetensors that contain their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ...faces.recognisers.recognise import load_recogniser
from ...files import sha256_file
from ...records.card import RestorerCard
from ...weights import weight_files
from ..composite_context.model import CompositeContext, CompositeContextConfig, Towers
from ..composite_context.restorer import PRESETS as COMPOSITE_PRESETS
from ..composite_context.restorer import CompositeContextRestorer, CompositeSampling
from ..networks.context import ContextConfig
from ..networks.face_embedder import aligned_embedder
from ..refldm.model import RefLdm, RefLdmConfig
from ..refldm.restorer import PRESETS as REFLDM_PRESETS
from ..refldm.restorer import RefLdmRestorer, RefLdmSampling
from ..restorers.sampling import Sampling, choose_sampling, version_with
from .checkpoints import (
    Tensors,
    UnusableWeightsError,
    build_without_memory,
    load_farl,
    load_strictly,
    read_config,
    read_tensors,
)

UNKNOWN = "unknown"


def load_trained(
    path: Path, preset: str | None = None, device: str = "cpu"
) -> RefLdmRestorer | CompositeContextRestorer:
    """Load a restorer from a file written by `checkpoints.save_weights`.

    Raises:
        UnusableWeightsError: another kind of file, or of another network.
        RefbenchError: an unknown preset; absent weights of a frozen tower.
    """
    tensors, description = read_tensors(path)
    return build_restorer(path, tensors, description, preset=preset, device=device)


def build_restorer(
    path: Path,
    tensors: Tensors,
    description: Mapping[str, Any],
    *,
    preset: str | None,
    device: str,
    refldm_presets: Mapping[str, RefLdmSampling] = REFLDM_PRESETS,
    composite_presets: Mapping[str, CompositeSampling] = COMPOSITE_PRESETS,
) -> RefLdmRestorer | CompositeContextRestorer:
    """Build a restorer from tensors read by `read_tensors`.

    Args:
        path: file of the tensors, for errors and the card.
        tensors, description: see `read_tensors`.
        preset: one of the presets of the model's class, with settings if any; None for the first.
        device: PyTorch device.
        refldm_presets, composite_presets: presets by name.

    Raises:
        UnusableWeightsError, RefbenchError: see `load_trained`.
    """
    kind = description.get("model", "no model")
    if kind == "RefLdm":
        refldm_sampling = choose_sampling(refldm_presets, preset, path.name)
        refldm_config = read_config(path, description, RefLdmConfig)
        assert refldm_config is not None
        model = load_strictly(build_without_memory(lambda: RefLdm(refldm_config)), path, tensors)
        version = version_with(_version(path), refldm_presets, refldm_sampling)
        if model.config.reference_mechanism == "none":
            refldm_sampling = refldm_sampling.model_copy(update={"references": 0})
        card = _card(path, description, model, sampling=refldm_sampling, version=version)
        return RefLdmRestorer(model, refldm_sampling, card, device=device)
    if kind == "CompositeContext":
        sampling = choose_sampling(composite_presets, preset, path.name)
        config = read_config(path, description, CompositeContextConfig)
        assert config is not None
        network = build_without_memory(lambda: CompositeContext(config, Towers()))
        network = load_strictly(network, path, tensors)
        network.towers = load_towers(config.context, device)
        version = version_with(_version(path), composite_presets, sampling)
        card = _card(path, description, network, sampling=sampling, version=version)
        return CompositeContextRestorer(network, sampling, card, device=device)
    raise UnusableWeightsError(f"{path} holds {kind}; a restorer is a RefLdm or a CompositeContext")


def load_towers(config: ContextConfig, device: str = "cpu") -> Towers:
    """Load the frozen networks of a composite context.

    Raises:
        RefbenchError: absent weights.
    """
    identity = aligned_embedder(load_recogniser(config.recogniser, device)) if config.identity else None
    if not config.appearance or config.tower_source == "own":
        return Towers(identity)
    return Towers(identity, load_farl(weight_files.path("farl-b16"), config.tower).to(device))


def _version(path: Path) -> str:
    return f"sha256 {sha256_file(path)[:12]}"


def _card(
    path: Path, description: Mapping[str, str], model: nn.Module, *, sampling: Sampling, version: str
) -> RestorerCard:
    return RestorerCard(
        model=description.get("name", path.stem),
        version=version,
        references_used=sampling.references,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        licence=description.get("licence", UNKNOWN),
        training_data=description.get("training_data", UNKNOWN),
        paper=description.get("paper", ""),
        notes=sampling.describe(),
    )
