"""Weights in and out: released checkpoints and our own safetensors, strictly by name and shape.

Nothing in a file is ever run. PyTorch files are read with ``weights_only``; the settings of training
frameworks that Lightning leaves in its checkpoints become inert placeholders, and any other reference to
code is refused. Our own files carry their configuration, so that they need no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from ...errors import FaultListError, InvalidInputError
from ...files import canonical_json, replacing
from ..networks.autoencoder import Autoencoder, AutoencoderConfig
from ..networks.vision_tower import VisionTower, VisionTowerConfig
from ..refldm.model import RefLdm, RefLdmConfig

Config = TypeVar("Config", bound=BaseModel)
Network = TypeVar("Network", bound=nn.Module)
Tensors = dict[str, Tensor]
Choice = Literal["ema", "raw"]

DESCRIPTION = "refbench"
INERT_MODULES = (
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "omegaconf.",
    "typing.",
    "collections.",
)
NOT_WEIGHTS = (
    r"betas|\w*alphas_cumprod\w*|posterior_\w+|lvlb_weights|logvar|scale_factor"
    r"|model_ema\.(decay|num_updates)|(first_stage_model\.)?(loss|discriminator)\..*"
)


class UnusableWeightsError(InvalidInputError):
    """A file of weights that cannot be used. Nothing can go on without it: exit code 2."""

    exit_code: ClassVar[int] = 2


class MismatchedWeightsError(FaultListError, UnusableWeightsError):
    """Weights of another network than the one to be filled, with every name and shape that does not fit."""


class Inert:
    """Stands for an object of a training framework in a checkpoint; does nothing."""

    def __init__(self, *given: object, **named: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def read_tensors(path: Path) -> tuple[Tensors, Mapping[str, Any]]:
    """Read the tensors of a safetensors or PyTorch file, Lightning's wrapper taken off.

    The second result is what one of our files says of itself (see `save_weights`), or nothing.

    Raises:
        UnusableWeightsError: no such file, damaged, without tensors, or it refers to code.
    """
    if not path.is_file():
        raise UnusableWeightsError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "pt") as opened:
                names = list(opened.keys())
                description = json.loads((opened.metadata() or {}).get(DESCRIPTION, "{}"))
                return {name: opened.get_tensor(name) for name in names}, description
        content = _read_pickle(path)
    except UnusableWeightsError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise UnusableWeightsError(f"{path} is not a readable checkpoint: {reason}") from None
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UnusableWeightsError(f"{path} holds no tensors by name; a state_dict was expected")
    return tensors, {}


def load_refldm(path: Path, config: RefLdmConfig | None = None, choose: Choice = "ema") -> RefLdm:
    """Load ReF-LDM from the released checkpoint or from a file of ours.

    ``config`` is that of the release unless the file carries its own. ``choose`` picks the averaged or the
    raw weights of a released checkpoint; sampling uses the averaged ones.

    Raises:
        UnusableWeightsError: see `read_tensors`.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
    """
    return refldm_of(path, *read_tensors(path), config=config, choose=choose)


def refldm_of(
    path: Path,
    tensors: Tensors,
    description: Mapping[str, Any],
    *,
    config: RefLdmConfig | None = None,
    choose: Choice = "ema",
) -> RefLdm:
    """ReF-LDM of what `read_tensors` read from ``path``; see `load_refldm`."""
    config = read_config(path, description, RefLdmConfig) or config or RefLdmConfig()
    model = on_meta(lambda: RefLdm(config))
    if "config" in description:
        return fill_strictly(model, path, tensors)
    other = _released_name("raw" if choose == "ema" else "ema")
    unused = {other(name) for name in model.state_dict() if name.startswith("unet.")}
    needed = {name: value for name, value in tensors.items() if name not in unused}
    return fill_strictly(model, path, needed, rename=_released_name(choose))


def load_autoencoder(path: Path, config: AutoencoderConfig | None = None) -> Autoencoder:
    """Load an autoencoder from the released ``vqgan.ckpt`` or from a file of ours.

    Raises:
        UnusableWeightsError: see `read_tensors`.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
    """
    return autoencoder_of(path, *read_tensors(path), config=config)


def autoencoder_of(
    path: Path, tensors: Tensors, description: Mapping[str, Any], *, config: AutoencoderConfig | None = None
) -> Autoencoder:
    """The autoencoder of what `read_tensors` read from ``path``; see `load_autoencoder`."""
    config = read_config(path, description, AutoencoderConfig) or config or AutoencoderConfig()
    return fill_strictly(on_meta(lambda: Autoencoder(config)), path, tensors)


def read_config(path: Path, description: Mapping[str, Any], kind: type[Config]) -> Config | None:
    """The configuration inside one of our files; None for a file that is not ours.

    Raises:
        UnusableWeightsError: it is that of another model.
    """
    if "config" not in description:
        return None
    try:
        return kind.model_validate(description["config"])
    except (ValueError, ValidationError):
        found = description.get("model", "another model")
        raise UnusableWeightsError(f"{path} holds {found}, whose settings are no {kind.__name__}") from None


def on_meta(build: Callable[[], Network]) -> Network:
    """Build a network without memory for its weights, which `fill_strictly` brings."""
    with torch.device("meta"):
        return build()


def fill_strictly(
    model: Network,
    path: Path,
    tensors: Tensors,
    *,
    rename: Callable[[str], str] = lambda name: name,
    others: str = NOT_WEIGHTS,
) -> Network:
    """Give a network its weights, each by its exact name and shape, and freeze it.

    Args:
        model: built on the meta device or any other.
        path: where the tensors come from, for the error.
        tensors: by their names in the file, in any floating point type; they become float32.
        rename: the network's name of a weight to the file's.
        others: a regular expression of names that may be in the file besides.

    Raises:
        MismatchedWeightsError: names that are missing or unknown, or of another shape, grouped.
    """
    wanted = {name: rename(name) for name in model.state_dict()}
    expected = set(wanted.values())
    faults = _grouped("missing", [name for name in wanted.values() if name not in tensors])
    unknown = [name for name in tensors if name not in expected and not re.fullmatch(others, name)]
    faults += _grouped("unknown", unknown)
    for ours, value in model.state_dict().items():
        found = tensors.get(wanted[ours])
        if found is not None and found.shape != value.shape:
            faults.append(f"{wanted[ours]} is {tuple(found.shape)}; wanted {tuple(value.shape)}")
    if faults:
        fix = f"The file does not fit {type(model).__name__}: is it another model, or another release?"
        raise MismatchedWeightsError(str(path), faults, fix)
    model.load_state_dict({ours: tensors[theirs].float() for ours, theirs in wanted.items()}, assign=True)
    return model.eval().requires_grad_(False)


def save_weights(
    model: nn.Module,
    config: BaseModel,
    path: Path,
    *,
    dtype: torch.dtype = torch.float32,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a network as safetensors, atomically; the same weights and facts always give the same bytes.

    Its kind, its configuration and ``facts`` go into the file's metadata, as one entry: several would be
    written in any order.
    """
    state = model.state_dict()
    tensors = {name: value.detach().to("cpu", dtype).contiguous() for name, value in state.items()}
    settings = config.model_dump(mode="json")
    description = canonical_json({**(facts or {}), "model": type(model).__name__, "config": settings})
    write_tensors(path, tensors, description)


def write_tensors(path: Path, tensors: Tensors, description: str) -> None:
    """Write safetensors and what they say of themselves, atomically, as readable as any other new file."""
    from safetensors.torch import save_file

    with replacing(path) as partial:
        partial.touch()
        mode = partial.stat().st_mode
        save_file(tensors, partial, {DESCRIPTION: description})
        partial.chmod(mode)


def _read_pickle(path: Path) -> Any:
    foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    code = [name for name in foreign if not name.startswith(INERT_MODULES)]
    if code:
        fix = "get the file from its publisher again, or save its state_dict alone on a machine you can spare"
        raise UnusableWeightsError(
            f"{path} refers to code ({', '.join(sorted(code))}) and was not opened; {fix}"
        )
    with torch.serialization.safe_globals([(Inert, name) for name in foreign]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _released_name(choose: Choice) -> Callable[[str], str]:
    def rename(name: str) -> str:
        part, _, rest = name.partition(".")
        if part == "autoencoder":
            return f"first_stage_model.{rest}"
        inner = f"diffusion_model.{rest}"
        return f"model.{inner}" if choose == "raw" else "model_ema." + inner.replace(".", "")

    return rename


def _grouped(what: str, names: list[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(".".join(name.split(".")[:3]) if name.count(".") > 1 else name[:30], []).append(
            name
        )
    return [
        f"{what}: {members[0]}"
        if len(members) == 1
        else f"{what}: {len(members)} under {group}, such as {members[0]}"
        for group, members in groups.items()
    ]


def load_farl(path: Path, config: VisionTowerConfig | None = None) -> VisionTower:
    """Load the visual tower of a published FaRL or CLIP checkpoint; its text tower is passed over.

    Raises:
        UnusableWeightsError: not a readable checkpoint.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
    """
    tensors, _ = read_tensors(path)
    with torch.device("meta"):
        tower = VisionTower(config or VisionTowerConfig())
    return fill_strictly(
        tower, path, tensors, rename=lambda name: f"visual.{name}", others=r"visual\.proj|(?!visual\.).*"
    )
