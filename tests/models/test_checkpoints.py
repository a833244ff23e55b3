"""Checkpoints: strict by name and shape, never running what is in them."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from refbench.errors import FaultListError, InvalidInputError
from refbench.models.checkpoints.checkpoints import load_autoencoder, load_refldm, read_tensors, save_weights
from refbench.models.checkpoints.external import convert_release, load_external
from refbench.models.networks.autoencoder import Autoencoder, AutoencoderConfig
from refbench.models.networks.unet import UNetConfig
from refbench.models.refldm.model import RefLdm, RefLdmConfig
from torch import Tensor

TINY = RefLdmConfig(
    unet=UNetConfig(
        in_channels=8, out_channels=4, channels=32, multipliers=(1, 2), residual_blocks=1, head_channels=16
    ),
    autoencoder=AutoencoderConfig(
        channels=32,
        multipliers=(1, 2),
        residual_blocks=1,
        latent_channels=4,
        codebook_channels=4,
        codebook_size=16,
    ),
    image_size=16,
)


@pytest.fixture(scope="module")
def released() -> dict[str, Tensor]:
    """A small checkpoint with the names of the release: raw weights, averaged ones and what else it holds."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    for name, value in RefLdm(TINY).state_dict().items():
        part, _, rest = name.partition(".")
        if part == "autoencoder":
            state[f"first_stage_model.{rest}"] = torch.randn(value.shape, generator=generator)
        else:
            state[f"model.diffusion_model.{rest}"] = torch.randn(value.shape, generator=generator)
            state["model_ema.diffusion_model" + rest.replace(".", "")] = torch.randn(
                value.shape, generator=generator
            )
    extra = {
        name: torch.zeros(3) for name in ("betas", "sqrt_one_minus_alphas_cumprod", "posterior_variance")
    }
    return state | extra | {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(3)}


def test_names_and_shapes_of_the_release(golden_dirs: list[Path]) -> None:
    shapes = json.loads((golden_dirs[0] / "refldm_parameters.json").read_text())
    with torch.device("meta"):
        model = RefLdm(RefLdmConfig())
    ours = {name: list(value.shape) for name, value in model.state_dict().items()}
    raw, averaged, rest = {}, {}, {}
    for name, shape in shapes.items():
        if name.startswith("model.diffusion_model."):
            raw[name.replace("model.diffusion_model.", "unet.")] = shape
        elif name.startswith("first_stage_model."):
            rest[name.replace("first_stage_model.", "autoencoder.")] = shape
        else:
            averaged[name] = shape
    assert raw | rest == ours
    assert len(averaged) == len(raw) + 2


def test_release_loads_from_exactly_its_names(golden_dirs: list[Path], tmp_path: Path) -> None:
    shapes = json.loads((golden_dirs[0] / "refldm_parameters.json").read_text())
    path = tmp_path / "refldm.ckpt"
    torch.save(
        {"state_dict": {name: torch.tensor(0.0).expand(shape) for name, shape in shapes.items()}}, path
    )
    model = load_refldm(path)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2) == 174.94
    del shapes["model_ema.diffusion_modelout2bias"]
    torch.save(
        {"state_dict": {name: torch.tensor(0.0).expand(shape) for name, shape in shapes.items()}}, path
    )
    with pytest.raises(FaultListError, match=r"missing: model_ema.diffusion_modelout2bias"):
        load_refldm(path)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("choose", ["ema", "raw"])
def test_averaged_or_raw_wrapped_or_bare(
    released: dict[str, Tensor], tmp_path: Path, wrapped: bool, choose: str
) -> None:
    path = tmp_path / "refldm.ckpt"
    torch.save({"state_dict": released, "epoch": 3} if wrapped else released, path)
    model = load_refldm(path, TINY, choose=choose)  # type: ignore[arg-type]
    name = "input_blocks.1.0.in_layers.2.weight"
    theirs = {
        "raw": f"model.diffusion_model.{name}",
        "ema": "model_ema.diffusion_model" + name.replace(".", ""),
    }
    assert torch.equal(model.unet.state_dict()[name], released[theirs[choose]])
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_faults_are_listed_and_grouped(released: dict[str, Tensor], tmp_path: Path) -> None:
    broken = {name: value for name, value in released.items() if ".decoder." not in name}
    broken["first_stage_model.encoder.conv_in.weight"] = torch.zeros(2, 2)
    broken["cond_stage.what"] = torch.zeros(1)
    torch.save(broken, tmp_path / "broken.ckpt")
    with pytest.raises(FaultListError) as raised:
        load_refldm(tmp_path / "broken.ckpt", TINY)
    text = str(raised.value)
    assert "unknown: cond_stage.what" in text
    assert "encoder.conv_in.weight is (2, 2); wanted (32, 3, 3, 3)" in text
    assert "under first_stage_model.decoder.mid, such as first_stage_model.decoder.mid.block_1" in text
    assert len(raised.value.faults) < 12
    assert raised.value.exit_code == 2


class Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(Path.cwd() / "owned"),))


def test_code_in_a_file_is_refused_and_not_run(
    released: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": released, "callbacks": Attack()}, tmp_path / "attack.ckpt")
    with pytest.raises(InvalidInputError, match=r"refers to code .*mkdir"):
        load_refldm(tmp_path / "attack.ckpt", TINY)
    assert not (tmp_path / "owned").exists()


def test_settings_of_lightning_are_passed_over(
    released: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    from types import ModuleType

    module = ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    callback = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = callback  # type: ignore[attr-defined]
    held = callback()
    held.best = 0.5
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks", module.__name__):
        monkeypatch.setitem(sys.modules, name, module if name == module.__name__ else ModuleType(name))
    torch.save({"state_dict": released, "callbacks": {callback: held}}, tmp_path / "lightning.ckpt")
    monkeypatch.undo()
    assert load_refldm(tmp_path / "lightning.ckpt", TINY).config == TINY


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps({"a": 1}))
    torch.save({"epoch": 3}, tmp_path / "empty.ckpt")
    for name in ("text.ckpt", "text.safetensors", "plain.ckpt"):
        with pytest.raises(InvalidInputError, match="not a readable checkpoint"):
            read_tensors(tmp_path / name)
    with pytest.raises(InvalidInputError, match="no tensors"):
        read_tensors(tmp_path / "empty.ckpt")
    with pytest.raises(InvalidInputError, match="no such file"):
        read_tensors(tmp_path / "absent.ckpt")


def test_our_own_files_carry_their_configuration(released: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(released, tmp_path / "refldm.ckpt")
    model = load_refldm(tmp_path / "refldm.ckpt", TINY)
    for name in ("a.safetensors", "b.safetensors"):
        save_weights(model, model.config, tmp_path / name)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = load_refldm(tmp_path / "a.safetensors")
    assert again.config == TINY
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    save_weights(model, model.config, tmp_path / "half.safetensors", dtype=torch.float16)
    half = load_refldm(tmp_path / "half.safetensors")
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * (tmp_path / "a.safetensors").stat().st_size
    assert next(half.parameters()).dtype == torch.float32
    with pytest.raises(InvalidInputError, match="holds RefLdm, whose settings are no AutoencoderConfig"):
        load_autoencoder(tmp_path / "a.safetensors")


def test_conversion_keeps_the_chosen_weights(released: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(released, tmp_path / "refldm.ckpt")
    convert_release(tmp_path / "refldm.ckpt", tmp_path / "ema.safetensors", config=TINY)
    converted = load_refldm(tmp_path / "ema.safetensors")
    assert torch.equal(
        converted.state_dict()["unet.out.2.bias"], released["model_ema.diffusion_modelout2bias"]
    )
    card = load_external(tmp_path / "ema.safetensors").card
    assert (card.model, card.licence) == ("ReF-LDM", "non-commercial research only")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ema.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_autoencoder_alone(tmp_path: Path) -> None:
    autoencoder = Autoencoder(TINY.autoencoder)
    state = autoencoder.state_dict() | {"loss.discriminator.main.0.weight": torch.zeros(1)}
    torch.save({"state_dict": state}, tmp_path / "vqgan.ckpt")
    loaded = load_autoencoder(tmp_path / "vqgan.ckpt", TINY.autoencoder)
    assert torch.equal(loaded.quantize.embedding.weight, autoencoder.quantize.embedding.weight)
    convert_release(tmp_path / "vqgan.ckpt", tmp_path / "vqgan.safetensors", config=TINY)
    converted = load_autoencoder(tmp_path / "vqgan.safetensors")
    assert converted.config == TINY.autoencoder
    assert torch.equal(converted.decoder.conv_out.weight, autoencoder.decoder.conv_out.weight)
    with pytest.raises(InvalidInputError, match="holds an autoencoder alone"):
        load_external(tmp_path / "vqgan.ckpt")
