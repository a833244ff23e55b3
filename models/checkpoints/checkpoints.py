"""Loading and saving of weights: released checkpoints and safetensors, strictly by name and shape.

No code in a file is executed. PyTorch files, also those in the format of before 1.6, are read with
``weights_only``; settings objects of training frameworks (Lightning), numbers of numpy and the like become
inert placeholders, and any other reference to code is refused. Files written by `save_weights` contain their
configuration.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from ...errors import FaultListError, InvalidInputError
from ...files import StrPath, canonical_json, replacing
from ...progress import say
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
    "pathlib.",
    "numpy.",
    "_codecs.encode",
    "argparse.Namespace",
)
WRAPPERS = ("params_ema", "ema", "g_ema", "state_dict", "params", "model", "generator")
"""Names under which trainings keep the weights in a checkpoint, averaged weights first."""
PREFIXES = ("module.", "_orig_mod.")
"""Before every name where a training saved a network that `DataParallel` or `torch.compile` wrapped."""
NOT_WEIGHTS = (
    r"betas|\w*alphas_cumprod\w*|posterior_\w+|lvlb_weights|logvar|scale_factor"
    r"|model_ema\.(decay|num_updates)|(first_stage_model\.)?(loss|discriminator)\..*"
)


class UnusableWeightsError(InvalidInputError):
    """A weights file that cannot be used; exit code 2."""

    exit_code: ClassVar[int] = 2


class MismatchedWeightsError(FaultListError, UnusableWeightsError):
    """Weights of another network, with all missing and unknown names and wrong shapes; exit code 2."""


class InertPlaceholder:
    """Placeholder for an object of a training framework in a checkpoint; does nothing."""

    def __init__(self, *given: object, **named: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def read_tensors(path: StrPath) -> tuple[Tensors, Mapping[str, Any]]:
    """Read the tensors of a safetensors or PyTorch file.

    Weights that a training keeps under a name (`WRAPPERS`) are unwrapped, and a prefix from wrapping
    (`PREFIXES`) that all names share is taken off; both are told on stderr where there was a choice.

    Returns:
        Tensors by name, and the description written by `save_weights` (empty for other files).

    Raises:
        UnusableWeightsError: no such file, damaged, without tensors, or it refers to code.
    """
    path = Path(path)
    if not path.is_file():
        raise UnusableWeightsError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "pt") as opened:
                names = list(opened.keys())
                description = json.loads((opened.metadata() or {}).get(DESCRIPTION, "{}"))
                return _without_prefix(path, {name: opened.get_tensor(name) for name in names}), description
        content = _read_pickle(path)
    except UnusableWeightsError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise UnusableWeightsError(f"{path} is not a readable checkpoint: {reason}") from None
    tensors = _unwrapped(path, content)
    if not tensors:
        raise UnusableWeightsError(f"{path} holds no tensors by name; a state_dict was expected")
    return _without_prefix(path, tensors), {}


def _unwrapped(path: Path, content: Any) -> Tensors:
    """The tensors of a checkpoint by name, at its top or under one of the names of `WRAPPERS`."""
    tensors = _tensors_of(content)
    if tensors or not isinstance(content, dict):
        return tensors
    there = {name: found for name in WRAPPERS if (found := _unwrapped(path, content.get(name)))}
    if not there:
        return {}
    chosen, *others = there
    if others:
        say(f"{path.name}: taken are the weights under {chosen!r}; there are also {', '.join(others)}")
    return there[chosen]


def _tensors_of(content: Any) -> Tensors:
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _without_prefix(path: Path, tensors: Tensors) -> Tensors:
    """The tensors without a prefix that all names share and that comes from wrapping a network."""
    counted = {name: value for name, value in tensors.items() if name != "n_averaged"}  # of AveragedModel
    taken = ""
    while prefix := next(
        (p for p in PREFIXES if counted and all(name.startswith(p) for name in counted)), ""
    ):
        counted = {name.removeprefix(prefix): value for name, value in counted.items()}
        taken += prefix
    if not taken:
        return tensors
    say(f"{path.name}: the prefix {taken!r}, which all names share, was taken off")
    return counted


def load_refldm(path: StrPath, config: RefLdmConfig | None = None, choose: Choice = "ema") -> RefLdm:
    """Load ReF-LDM from the released checkpoint or from a file written by `save_weights`.

    Args:
        path: ``refldm.ckpt``, ``.pt``, ``.pth`` or ``.safetensors``.
        config: sizes of the network where the file does not contain them; None for those of the release.
        choose: ``ema`` or ``raw`` weights of a released checkpoint; sampling uses ``ema``.

    Returns:
        The network on the CPU in evaluation mode, float32, without gradients.

    Raises:
        UnusableWeightsError: see `read_tensors`.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
    """
    path = Path(path)
    return build_refldm(path, *read_tensors(path), config=config, choose=choose)


def build_refldm(
    path: Path,
    tensors: Tensors,
    description: Mapping[str, Any],
    *,
    config: RefLdmConfig | None = None,
    choose: Choice = "ema",
) -> RefLdm:
    """ReF-LDM of tensors read by `read_tensors`; see `load_refldm`."""
    config = read_config(path, description, RefLdmConfig) or config or RefLdmConfig()
    model = build_without_memory(lambda: RefLdm(config))
    if "config" in description:
        return load_strictly(model, path, tensors)
    other = _released_name("raw" if choose == "ema" else "ema")
    unused = {other(name) for name in model.state_dict() if name.startswith("unet.")}
    needed = {name: value for name, value in tensors.items() if name not in unused}
    return load_strictly(model, path, needed, rename=_released_name(choose))


def load_autoencoder(path: StrPath, config: AutoencoderConfig | None = None) -> Autoencoder:
    """Load an autoencoder from the released ``vqgan.ckpt`` or from a file written by `save_weights`.

    Args:
        path: ``vqgan.ckpt``, ``.pt``, ``.pth`` or ``.safetensors``.
        config: sizes of the network where the file does not contain them; None for ReF-LDM's.

    Returns:
        The network on the CPU in evaluation mode, float32, without gradients.

    Raises:
        UnusableWeightsError: see `read_tensors`.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
    """
    path = Path(path)
    return build_autoencoder(path, *read_tensors(path), config=config)


def build_autoencoder(
    path: Path, tensors: Tensors, description: Mapping[str, Any], *, config: AutoencoderConfig | None = None
) -> Autoencoder:
    """Autoencoder of tensors read by `read_tensors`; see `load_autoencoder`."""
    config = read_config(path, description, AutoencoderConfig) or config or AutoencoderConfig()
    return load_strictly(build_without_memory(lambda: Autoencoder(config)), path, tensors)


def read_config(path: Path, description: Mapping[str, Any], kind: type[Config]) -> Config | None:
    """The configuration in a file's description; None if it contains none.

    Raises:
        UnusableWeightsError: it is the configuration of another model.
    """
    if "config" not in description:
        return None
    try:
        return kind.model_validate(description["config"])
    except (ValueError, ValidationError):
        found = description.get("model", "another model")
        raise UnusableWeightsError(f"{path} holds {found}, whose settings are no {kind.__name__}") from None


def build_without_memory(build: Callable[[], Network]) -> Network:
    """Build a network on the meta device; `load_strictly` assigns its weights."""
    with torch.device("meta"):
        return build()


def load_strictly(
    model: Network,
    path: Path,
    tensors: Tensors,
    *,
    rename: Callable[[str], str] = lambda name: name,
    others: str = NOT_WEIGHTS,
) -> Network:
    """Load weights by exact name and shape, and freeze the network.

    Args:
        model: network on the meta device or any other.
        path: file of the tensors, for the error message.
        tensors: by their names in the file, of any floating point type; converted to float32.
        rename: maps the network's name of a weight to the file's.
        others: regular expression of further names that may be in the file.

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
    path: StrPath,
    *,
    dtype: torch.dtype = torch.float32,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a network as safetensors, atomically; equal inputs give equal bytes.

    The file's metadata contain the class of the network, its configuration and ``facts``, as one JSON entry,
    because the order of several would vary.

    Args:
        model: network to write.
        config: its configuration.
        path: file to write.
        dtype: floating point type in the file.
        facts: further entries, such as ``name``, ``licence`` and ``training_data``.
    """
    path = Path(path)
    state = model.state_dict()
    tensors = {name: value.detach().to("cpu", dtype).contiguous() for name, value in state.items()}
    settings = config.model_dump(mode="json")
    description = canonical_json({**(facts or {}), "model": type(model).__name__, "config": settings})
    write_tensors(path, tensors, description)


def write_tensors(path: Path, tensors: Tensors, description: str) -> None:
    """Write tensors and their description as safetensors, atomically, with the usual file permissions."""
    from safetensors.torch import save_file

    with replacing(path) as partial:
        partial.touch()
        mode = partial.stat().st_mode
        save_file(tensors, partial, {DESCRIPTION: description})
        partial.chmod(mode)


def _shared_prefix(tensors: Tensors) -> str:
    shared = (p for p in PREFIXES if tensors and all(name.startswith(p) for name in tensors))
    return next(shared, "")


def _read_pickle(path: Path) -> Any:
    foreign = _foreign_names(path)
    code = [name for name in foreign if not name.startswith(INERT_MODULES)]
    if code:
        fix = "get the file from its publisher again, or save its state_dict alone in an isolated environment"
        raise UnusableWeightsError(
            f"{path} refers to code ({', '.join(sorted(code))}) and was not opened; {fix}"
        )
    with torch.serialization.safe_globals([(InertPlaceholder, name) for name in foreign]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _foreign_names(path: Path) -> list[str]:
    """What a PyTorch file refers to besides tensors and plain values, as ``module.name``."""
    if zipfile.is_zipfile(path):
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    known: list[str] = []
    while True:  # the format of before 1.6 can only be read to find out: each time one name further
        try:
            with torch.serialization.safe_globals([(InertPlaceholder, name) for name in known]):
                torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            found = re.search(r"GLOBAL ([\w.]+) (?:was not an allowed global|whose module)", str(error))
            if found is None or found[1] in known:
                raise
            known.append(found[1])
            if not found[1].startswith(INERT_MODULES):
                return known
        else:
            return known


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
    """Load the vision tower of a published FaRL or CLIP checkpoint; the text tower is ignored.

    Raises:
        UnusableWeightsError: not a readable checkpoint.
        MismatchedWeightsError: names that are missing or unknown, or of another shape.
    """
    tensors, _ = read_tensors(path)
    with torch.device("meta"):
        tower = VisionTower(config or VisionTowerConfig())
    return load_strictly(
        tower, path, tensors, rename=lambda name: f"visual.{name}", others=r"visual\.proj|(?!visual\.).*"
    )
