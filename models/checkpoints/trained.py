"""Restorers from weights that were trained here: safetensors that say what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ...faces.recognisers.recognise import load_recogniser
from ...files import sha256_file
from ...records.run_manifest import RestorerCard
from ...weights import weight_files
from ..composite_context.model import CompositeContext, CompositeContextConfig, Towers
from ..composite_context.restorer import PRESETS as COMPOSITE_PRESETS
from ..composite_context.restorer import CompositeContextRestorer, CompositeSampling
from ..networks.context import ContextConfig
from ..networks.face_embedder import aligned_embedder
from ..refldm.model import RefLdm, RefLdmConfig
from ..refldm.restorer import PRESETS as REFLDM_PRESETS
from ..refldm.restorer import RefLdmRestorer, RefLdmSampling
from ..restorers.sampling import choose_sampling
from .checkpoints import (
    Tensors,
    UnusableWeightsError,
    fill_strictly,
    load_farl,
    on_meta,
    read_config,
    read_tensors,
)

UNKNOWN = "unknown"


def load_trained(
    path: Path, preset: str | None = None, device: str = "cpu"
) -> RefLdmRestorer | CompositeContextRestorer:
    """Load a restorer from a file that `checkpoints.save_weights` wrote.

    Raises:
        UnusableWeightsError: not such a file, or one of another network.
        RefbenchError: an unknown preset; weights of a frozen tower that are absent.
    """
    tensors, description = read_tensors(path)
    return restorer_of(path, tensors, description, preset=preset, device=device)


def restorer_of(
    path: Path,
    tensors: Tensors,
    description: Mapping[str, Any],
    *,
    preset: str | None,
    device: str,
    refldm_presets: Mapping[str, RefLdmSampling] = REFLDM_PRESETS,
    composite_presets: Mapping[str, CompositeSampling] = COMPOSITE_PRESETS,
) -> RefLdmRestorer | CompositeContextRestorer:
    """The restorer of tensors that were read already; ``path`` is where from, for faults and the card.

    A preset is one of those of the model's kind, the first by default.

    Raises:
        UnusableWeightsError, RefbenchError: see `load_trained`.
    """
    kind = description.get("model", "no model")
    if kind == "RefLdm":
        refldm_sampling = choose_sampling(refldm_presets, preset, path.name)
        refldm_config = read_config(path, description, RefLdmConfig)
        assert refldm_config is not None
        model = fill_strictly(on_meta(lambda: RefLdm(refldm_config)), path, tensors)
        if model.config.reference_mechanism == "none":
            refldm_sampling = refldm_sampling.model_copy(update={"references": 0})
        card = _card(
            path, description, model, references=refldm_sampling.references, notes=refldm_sampling.describe()
        )
        return RefLdmRestorer(model, refldm_sampling, card, device=device)
    if kind == "CompositeContext":
        sampling = choose_sampling(composite_presets, preset, path.name)
        config = read_config(path, description, CompositeContextConfig)
        assert config is not None
        network = on_meta(lambda: CompositeContext(config, Towers()))
        network = fill_strictly(network, path, tensors)
        network.towers = load_towers(config.context, device)
        card = _card(path, description, network, references=sampling.references, notes=sampling.describe())
        return CompositeContextRestorer(network, sampling, card, device=device)
    raise UnusableWeightsError(f"{path} holds {kind}; a restorer is a RefLdm or a CompositeContext")


def load_towers(config: ContextConfig, device: str = "cpu") -> Towers:
    """Load the frozen networks that a context needs.

    Raises:
        RefbenchError: their weights are absent.
    """
    identity = aligned_embedder(load_recogniser(config.recogniser, device)) if config.identity else None
    if not config.appearance or config.tower_source == "own":
        return Towers(identity)
    return Towers(identity, load_farl(weight_files.path("farl-b16"), config.tower).to(device))


def _card(
    path: Path,
    description: Mapping[str, str],
    model: nn.Module,
    *,
    references: int,
    notes: str,
) -> RestorerCard:
    return RestorerCard(
        model=description.get("name", path.stem),
        version=f"sha256 {sha256_file(path)[:12]}",
        references_used=references,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        licence=description.get("licence", UNKNOWN),
        training_data=description.get("training_data", UNKNOWN),
        paper=description.get("paper", ""),
        notes=notes,
    )
