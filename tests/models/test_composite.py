"""The composite-context model: its context, its guidance, its towers and the restorer around it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.models.checkpoints.checkpoints import load_farl, save_weights
from refbench.models.checkpoints.registry import load_restorer
from refbench.models.checkpoints.trained import load_trained
from refbench.models.composite_context.model import CompositeContext, CompositeContextConfig, Towers
from refbench.models.composite_context.restorer import PRESETS, CompositeContextRestorer, CompositeSampling
from refbench.models.networks.autoencoder import AutoencoderConfig
from refbench.models.networks.context import ContextConfig, ContextEncoder, sinusoidal_positions
from refbench.models.networks.unet import CrossAttention, UNetConfig
from refbench.models.networks.vision_tower import VisionTower, VisionTowerConfig
from refbench.models.refldm.model import RefLdm, RefLdmConfig
from refbench.records.card import RestorerCard
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 32
TOWER = VisionTowerConfig(image_size=16, patch=8, channels=32, layers=3, heads=2)
TINY = CompositeContextConfig(
    unet=UNetConfig(
        in_channels=8,
        out_channels=4,
        channels=32,
        multipliers=(1, 2),
        residual_blocks=1,
        head_channels=16,
        context_channels=24,
    ),
    autoencoder=AutoencoderConfig(
        channels=32,
        multipliers=(1, 1, 2),
        residual_blocks=1,
        latent_channels=4,
        codebook_channels=4,
        codebook_size=64,
    ),
    context=ContextConfig(
        recogniser="mobilefacenet",
        identity_channels=10,
        tower=TOWER,
        tower_source="own",
        layers=(1, 3),
        channels=24,
    ),
    image_size=SIZE,
)


def embed(images: Tensor) -> Tensor:
    weights = torch.randn(10, 3 * 16, generator=torch.Generator().manual_seed(0))
    return F.normalize(F.adaptive_avg_pool2d(images, 4).flatten(1) @ weights.T, dim=-1)


def randomised(network: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        spread = 0.5 / max(1, parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.2
        offset = 1.0 if parameter.ndim == 1 and bool((parameter == 1).all()) else 0.0
        with torch.no_grad():
            parameter.copy_(offset + spread * torch.randn(parameter.shape, generator=generator))
    network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model() -> CompositeContext:
    network = CompositeContext(TINY, Towers(identity=embed))
    randomised(network)
    with torch.no_grad():
        network.autoencoder.quantize.embedding.weight.mul_(3)
    return network


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def restorer(model: CompositeContext, **sampling: object) -> CompositeContextRestorer:
    chosen = CompositeSampling.model_validate({"steps": 3} | sampling)
    return CompositeContextRestorer(model, chosen, RestorerCard(model="tiny", references_used=5))


def run(restorer: CompositeContextRestorer, lq: Tensor, references: list[Tensor]) -> Tensor:
    return restorer.restore(lq, references, [torch.Generator().manual_seed(1) for _ in references])


@torch.inference_mode()
def test_guidance_is_the_published_sum(model: CompositeContext) -> None:
    x_t, lq, t = drawn(2, 4, 8, 8, seed=2), drawn(2, 4, 8, 8, seed=3), torch.tensor([300, 800])
    contexts = torch.stack([model.encode_context(drawn(2, 3, SIZE, SIZE, seed=s)) for s in (4, 5, 6)], 1)
    none = model.null_context(2)
    for image_scale, context_scale in ((1.2, 1.2), (1.5, 1.2), (1.0, 1.0), (1.0, 0.0), (0.0, 2.0)):
        wanted = (1 - image_scale) * model.eps(x_t, t, torch.zeros_like(lq), context=none)
        wanted = wanted + (image_scale - context_scale) * model.eps(x_t, t, lq, context=none)
        for n in range(3):
            wanted = wanted + context_scale / 3 * model.eps(x_t, t, lq, context=contexts[:, n])
        got = model.guided_eps(lq, contexts, image_scale=image_scale, context_scale=context_scale)(x_t, t)
        assert torch.allclose(got, wanted, atol=1e-5), (image_scale, context_scale)


@pytest.mark.parametrize(
    ("image_scale", "context_scale", "references", "passes"),
    [
        (1.2, 1.2, 1, 2),
        (1.2, 1.2, 4, 5),
        (1.5, 1.2, 1, 3),
        (1.0, 1.0, 3, 3),
        (1.0, 0.0, 3, 1),
        (1.2, 1.2, 0, 2),
    ],
)
@torch.inference_mode()
def test_passes_that_vanish_are_skipped(
    model: CompositeContext,
    monkeypatch: pytest.MonkeyPatch,
    image_scale: float,
    context_scale: float,
    references: int,
    passes: int,
) -> None:
    sizes = []
    whole = model.unet.forward
    monkeypatch.setattr(model.unet, "forward", lambda x, *a, **k: sizes.append(len(x)) or whole(x, *a, **k))
    contexts = torch.rand(2, references, TINY.context.tokens, TINY.context.channels)
    denoise = model.guided_eps(
        drawn(2, 4, 8, 8), contexts, image_scale=image_scale, context_scale=context_scale
    )
    denoise(drawn(2, 4, 8, 8), torch.tensor([5, 5]))
    assert sizes == [2 * passes]


def test_copies_of_one_reference_equal_one(model: CompositeContext) -> None:
    lq, reference = drawn(1, 3, SIZE, SIZE), drawn(1, 3, SIZE, SIZE, seed=9)
    several = restorer(model, references=5)
    one = run(several, lq, [reference])
    four = run(several, lq, [reference.expand(4, -1, -1, -1)])
    other = run(several, lq, [drawn(1, 3, SIZE, SIZE, seed=10)])
    assert torch.allclose(one, four, atol=1e-4)
    assert not torch.allclose(one, other, atol=1e-2)


def test_batch_equals_one_by_one_with_mixed_counts(
    model: CompositeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    lq = drawn(3, 3, SIZE, SIZE)
    references = [drawn(n, 3, SIZE, SIZE, seed=n) for n in (2, 1, 2)]
    several = restorer(model, references=5)
    alone = torch.cat([run(several, lq[i : i + 1], references[i : i + 1]) for i in range(3)])
    assert torch.equal(run(several, lq, references), alone)
    in_groups = restorer(model, references=5)
    monkeypatch.setattr(in_groups, "_groups", lambda counts: [[1], [0, 2]])
    assert torch.allclose(run(in_groups, lq, references), alone, atol=1e-4)
    assert torch.allclose(
        run(restorer(model), lq, references), run(restorer(model), lq, [r[:1] for r in references])
    )
    with pytest.raises(InvalidInputError, match="at least one reference"):
        run(several, lq[:1], [references[0][:0]])
    assert run(restorer(model, references=0), lq[:1], [references[0][:0]]).shape == (1, 3, SIZE, SIZE)


def test_contexts_are_kept(model: CompositeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    whole = CompositeContext.encode_context
    monkeypatch.setattr(
        CompositeContext, "encode_context", lambda self, r: seen.append(len(r)) or whole(self, r)
    )
    several = restorer(model, references=5)
    references = drawn(3, 3, SIZE, SIZE, seed=4)
    run(several, drawn(1, 3, SIZE, SIZE), [references])
    run(several, drawn(1, 3, SIZE, SIZE, seed=2), [references.flip(0)])
    assert seen == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({}, 1 + 5),
        ({"join": "concatenate"}, 1 + 2 * 5),
        ({"identity": False}, 5),
        ({"appearance": False}, 1),
        ({"positions": "learned"}, 6),
        ({"positions": "none"}, 6),
    ],
)
def test_every_make_of_a_context(changes: dict[str, object], tokens: int) -> None:
    config = ContextConfig.model_validate(TINY.context.model_dump() | changes)
    assert config.tokens == tokens
    encoder = ContextEncoder(config)
    identity = F.normalize(drawn(2, 10), dim=-1)
    layers = [drawn(2, 5, 32, seed=s) for s in (1, 2)]
    context = encoder(identity, layers)
    assert context.shape == (2, tokens, 24)
    if config.identity:
        assert not torch.allclose(context, encoder(-identity, layers))
    if config.appearance:
        assert not torch.allclose(context, encoder(identity, [layers[0], layers[1] + 1]))


def test_the_published_context_has_198_tokens() -> None:
    assert ContextConfig().tokens == 198
    table = sinusoidal_positions(198, 768)
    assert len(torch.unique(table, dim=0)) == 198


def test_contexts_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="identity, appearance or both"):
        ContextConfig(identity=False, appearance=False)
    with pytest.raises(ValidationError, match="1 to 12"):
        ContextConfig(layers=(3, 13))
    with pytest.raises(ValidationError, match="1 to 12"):
        ContextConfig(layers=(3, 2))
    with pytest.raises(ValidationError, match=r"unet\.context_channels is 64, but the context is 768 wide"):
        CompositeContextConfig(unet=UNetConfig(context_channels=64))
    with pytest.raises(ValidationError, match="context_grid 3 wants 9 tokens, but the context has 6"):
        TINY.model_validate(TINY.model_dump() | {"unet": {**TINY.unet.model_dump(), "context_grid": 3}})


def test_cross_attention_with_positions_begins_near_its_own_place() -> None:
    heads, channels = 4, 64
    given = UNetConfig(channels=64, head_channels=16, context_channels=24, context_grid=4, positions=True)
    torch.manual_seed(0)
    cross = CrossAttention(channels, given)
    torch.nn.init.eye_(cross.proj_out.weight)
    torch.nn.init.zeros_(cross.q.weight)
    context = torch.zeros(1, 2 + 16, 24)
    context[0, 2 + 4 * 1 + 3] = 1.0
    with torch.no_grad():
        shown = cross(torch.zeros(1, channels, 8, 8), context) - cross(
            torch.zeros(1, channels, 8, 8), context * 0
        )
    strength = shown.view(heads, -1, 8, 8).abs().sum(1)
    near, far = strength[:, 2:4, 6:8].mean((1, 2)), strength[:, 6:8, 0:2].mean((1, 2))
    assert near[0] == pytest.approx(float(far[0]), rel=0.2)
    assert near[-1] > 5 * far[-1]


def test_gradients_reach_every_part_that_is_trained() -> None:
    network = CompositeContext(TINY, Towers(identity=embed))
    randomised(network)
    network.requires_grad_(True)
    context = network.encode_context(drawn(2, 3, SIZE, SIZE))
    eps = network.eps(drawn(2, 4, 8, 8), torch.tensor([5, 900]), drawn(2, 4, 8, 8), context=context)
    eps.square().mean().backward()
    untouched = [
        name
        for name, parameter in network.named_parameters()
        if not name.startswith("autoencoder.") and (parameter.grad is None or not parameter.grad.any())
    ]
    assert untouched == []


class TestTower:
    def test_layers_and_sizes(self) -> None:
        tower = VisionTower(TOWER).eval()
        first, last = tower(drawn(2, 3, 40, 40), (1, 3))
        assert first.shape == last.shape == (2, 5, 32)
        assert torch.allclose(tower(drawn(2, 3, 40, 40), (3,))[0], last)
        assert not torch.allclose(first, last, atol=1e-3)

    def test_published_names_load_strictly(self, tmp_path: Path) -> None:
        tower = VisionTower(TOWER)
        state = {f"visual.{name}": value for name, value in tower.state_dict().items()}
        text = {
            "visual.proj": torch.zeros(3),
            "token_embedding.weight": torch.zeros(3),
            "logit_scale": torch.zeros(1),
        }
        torch.save({"state_dict": state | text}, tmp_path / "farl.pth")
        loaded = load_farl(tmp_path / "farl.pth", TOWER)
        image = drawn(1, 3, 16, 16)
        assert torch.allclose(loaded(image, (3,))[0], tower.eval()(image, (3,))[0], atol=1e-5)
        del state["visual.ln_pre.weight"]
        torch.save(state | {"visual.more": torch.zeros(1)}, tmp_path / "broken.pth")
        with pytest.raises(FaultListError, match=r"missing: visual.ln_pre.weight(.|\n)*unknown: visual.more"):
            load_farl(tmp_path / "broken.pth", TOWER)

    def test_size_of_the_published_tower(self) -> None:
        with torch.device("meta"):
            tower = VisionTower(VisionTowerConfig())
        assert sum(parameter.numel() for parameter in tower.parameters()) == 85_799_424


class TestTrainedFiles:
    def test_composite_context(
        self, model: CompositeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "mini.safetensors"
        save_weights(
            model, model.config, path, facts={"licence": "research use", "training_data": "ten faces"}
        )
        monkeypatch.setattr(
            "refbench.models.checkpoints.trained.load_towers", lambda config, device: Towers(identity=embed)
        )
        loaded = load_trained(path, "multi")
        assert isinstance(loaded, CompositeContextRestorer)
        assert (loaded.card.licence, loaded.card.training_data) == ("research use", "ten faces")
        assert loaded.card.references_used == PRESETS["multi"].references
        lq, references = drawn(1, 3, SIZE, SIZE), [drawn(2, 3, SIZE, SIZE, seed=3)]
        loaded.sampling = loaded.sampling.model_copy(update={"steps": 3})
        assert torch.allclose(run(loaded, lq, references), run(restorer(model, references=5), lq, references))
        with pytest.raises(RefbenchError, match="no preset 'x'; known: single, multi, null"):
            load_trained(path, "x")

    def test_a_bare_file_says_beside_it_what_it_is(
        self, model: CompositeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "refbench.models.checkpoints.trained.load_towers", lambda config, device: Towers(identity=embed)
        )
        path = tmp_path / "mine.pth"
        torch.save(model.state_dict(), path)
        with pytest.raises(InvalidInputError, match=r"write beside it mine\.yaml"):
            load_restorer(str(path))
        said = {"model": "CompositeContext", "name": "Mine", "config": model.config.model_dump(mode="json")}
        path.with_suffix(".yaml").write_text(yaml.safe_dump(said))
        monkeypatch.setenv("REFBENCH_WEIGHT_COMPOSITE_CONTEXT", str(path))
        loaded = load_restorer("composite-context", "multi,steps=3")
        assert loaded.card.model == "Mine"
        lq, references = drawn(1, 3, SIZE, SIZE), [drawn(2, 3, SIZE, SIZE, seed=3)]
        assert isinstance(loaded, CompositeContextRestorer)
        assert torch.allclose(run(loaded, lq, references), run(restorer(model, references=5), lq, references))
        monkeypatch.setenv("REFBENCH_WEIGHT_COMPOSITE_CONTEXT", str(tmp_path / "absent.pth"))
        with pytest.raises(RefbenchError, match="No weights of the composite-context model are published"):
            load_restorer("composite-context")

    def test_refldm_and_others(self, model: CompositeContext, tmp_path: Path) -> None:
        unet = TINY.unet.model_copy(update={"context_channels": None})
        refldm = RefLdm(RefLdmConfig(unet=unet, autoencoder=TINY.autoencoder))
        save_weights(refldm, refldm.config, tmp_path / "refldm.safetensors")
        assert load_trained(tmp_path / "refldm.safetensors").card.model == "refldm"
        save_weights(model.autoencoder, TINY.autoencoder, tmp_path / "autoencoder.safetensors")
        with pytest.raises(InvalidInputError, match="holds Autoencoder; a restorer is a RefLdm or"):
            load_trained(tmp_path / "autoencoder.safetensors")
