"""ReF-LDM: sizes, properties of CacheKV, guidance and sampling, and the restorer around them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.errors import InvalidInputError, RefbenchError
from refbench.models.diffusion.ddim import ddim, spaced_timesteps
from refbench.models.diffusion.schedule import DiffusionConfig, Schedule
from refbench.models.diffusion.tiles import decode_in_tiles
from refbench.models.networks.attention import CacheKV, SelfAttention
from refbench.models.networks.autoencoder import Autoencoder, AutoencoderConfig
from refbench.models.networks.scaled_dot_product import attend_in_blocks
from refbench.models.networks.unet import UNet, UNetConfig, grid_positions
from refbench.models.refldm.model import RefLdm, RefLdmConfig
from refbench.models.refldm.restorer import PRESETS, RefLdmRestorer, RefLdmSampling
from refbench.models.restorers.latent_restorer import ContentCache
from refbench.models.restorers.sampling import choose_sampling
from refbench.records.card import RestorerCard
from torch import Tensor, nn

SIZE = 32
TINY = RefLdmConfig(
    unet=UNetConfig(
        in_channels=8, out_channels=4, channels=32, multipliers=(1, 2), residual_blocks=1, head_channels=16
    ),
    autoencoder=AutoencoderConfig(
        channels=32,
        multipliers=(1, 1, 2),
        residual_blocks=1,
        latent_channels=4,
        codebook_channels=4,
        codebook_size=64,
    ),
    image_size=SIZE,
    reference_encoding="separate",
)


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Redraw every parameter, so that layers that begin at zero cannot hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        spread = 0.5 / max(1, parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.2
        offset = 1.0 if parameter.ndim == 1 and parameter.std() == 0 and parameter.mean() == 1 else 0.0
        with torch.no_grad():
            parameter.copy_(offset + spread * torch.randn(parameter.shape, generator=generator))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model() -> RefLdm:
    network = randomised(RefLdm(TINY))
    assert isinstance(network, RefLdm)
    with torch.no_grad():
        network.autoencoder.quantize.embedding.weight.mul_(3)
    return network


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def restorer(model: RefLdm, **sampling: object) -> RefLdmRestorer:
    chosen = RefLdmSampling.model_validate({"steps": 3} | sampling)
    return RefLdmRestorer(model, chosen, RestorerCard(model="tiny", references_used=5))


def run(restorer: RefLdmRestorer, lq: Tensor, references: list[Tensor], seeds: list[int]) -> Tensor:
    return restorer.restore(lq, references, [torch.Generator().manual_seed(seed) for seed in seeds])


def test_parameter_counts_of_the_release() -> None:
    with torch.device("meta"):
        unet, autoencoder = UNet(UNetConfig()), Autoencoder(AutoencoderConfig())
    assert round(sum(p.numel() for p in unet.parameters()) / 1e6, 2) == 117.76
    assert round(sum(p.numel() for p in autoencoder.parameters()) / 1e6, 2) == 57.18


@torch.inference_mode()
@settings(max_examples=20, deadline=None)
@given(st.sampled_from([32, 64, 128]), st.integers(2, 32), st.integers(2, 32))
def test_every_position_is_nearest_to_itself(channels: int, height: int, width: int) -> None:
    table = grid_positions(channels, height, width)
    near = table @ table.T
    assert table.shape == (height * width, channels)
    assert torch.allclose(near.diagonal(), torch.full((height * width,), channels / 2))
    assert near.fill_diagonal_(0).max() < channels / 2 - 1e-3


def test_positions_tell_attention_where_a_token_lies() -> None:
    tokens, order = drawn(1, TINY.unet.channels * 2, 4, 4), [2, 0, 3, 1]
    for positions in (False, True):
        unet = randomised(UNet(TINY.unet.model_copy(update={"positions": positions})))
        attention = unet.middle_block[1]
        before = attention(tokens, SelfAttention(), None)[..., order]
        after = attention(tokens[..., order], SelfAttention(), None)
        assert torch.allclose(before, after, atol=1e-5) != positions


def test_attention_with_positions_begins_near_its_own_place() -> None:
    own_places: list[Tensor] = []

    class Looking:
        def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
            weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
            own_places.append(weights.diagonal(dim1=-2, dim2=-1).mean((0, 2)) * q.shape[2])
            return weights @ v

    torch.manual_seed(0)
    unet = UNet(TINY.unet.model_copy(update={"positions": True}))
    unet(drawn(1, 8, 16, 16), torch.zeros(1, dtype=torch.long), Looking())
    assert own_places[0][0] < 2
    assert own_places[0][-1] > 20


def test_order_of_separate_references_does_not_matter(model: RefLdm) -> None:
    references = drawn(1, 3, 3, SIZE, SIZE)
    x_t, lq, t = drawn(1, 4, 8, 8, seed=2), drawn(1, 4, 8, 8, seed=3), torch.tensor([700])
    caches = [
        model.cache_references(model.encode_references(references[:, order]))
        for order in ([0, 1, 2], [2, 0, 1])
    ]
    first, second = (model.eps(x_t, t, lq, memory=cache) for cache in caches)
    assert torch.allclose(first, second, atol=1e-5)
    assert not torch.allclose(first, model.eps(x_t, t, lq, memory=SelfAttention()), atol=1e-2)


@torch.inference_mode()
def test_wide_encoding_mixes_references_and_separate_does_not(model: RefLdm) -> None:
    references = drawn(1, 2, 3, SIZE, SIZE)
    alone = model.encode_references(references[:, :1])
    separate = model.encode_references(references)
    model.config = TINY.model_copy(update={"reference_encoding": "wide"})
    wide = model.encode_references(references)
    model.config = TINY
    assert torch.allclose(separate[:, :1], alone, atol=1e-5)
    assert not torch.allclose(wide[:, :1], alone, atol=1e-2)
    assert wide.shape == separate.shape


@torch.inference_mode()
def test_references_batched_equal_references_one_by_one(model: RefLdm) -> None:
    latents = drawn(2, 3, 4, 8, 8)
    together = model.cache_references(latents)
    one_by_one = CacheKV.stack(
        [CacheKV.join([model.cache_references(one[None, None]) for one in image]) for image in latents]
    )
    for left, right in zip(together.layers, one_by_one.layers, strict=True):
        assert torch.allclose(left[0], right[0], atol=1e-5)
        assert torch.allclose(left[1], right[1], atol=1e-5)
    assert together.nbytes == one_by_one.nbytes == 3 * model.cache_references(latents[:, :1]).nbytes


@torch.inference_mode()
def test_equal_references_weigh_like_one_counted_often(model: RefLdm) -> None:
    latents = drawn(1, 1, 4, 8, 8)
    x_t, lq, t = drawn(1, 4, 8, 8, seed=2), drawn(1, 4, 8, 8, seed=3), torch.tensor([400])
    copies = model.cache_references(latents.expand(1, 4, -1, -1, -1))
    counted = model.cache_references(latents).times(2).times(2)
    assert torch.allclose(
        model.eps(x_t, t, lq, memory=copies), model.eps(x_t, t, lq, memory=counted), atol=1e-5
    )
    assert not torch.allclose(
        model.eps(x_t, t, lq, memory=copies),
        model.eps(x_t, t, lq, memory=model.cache_references(latents)),
        atol=1e-3,
    )
    with pytest.raises(ValueError, match="count several times"):
        CacheKV.join([counted, counted])


@torch.inference_mode()
def test_guidance_in_one_pass_equals_two_passes(model: RefLdm) -> None:
    x_t, lq, t = drawn(2, 4, 8, 8, seed=2), drawn(2, 4, 8, 8, seed=3), torch.tensor([400, 900])
    cache = model.cache_references(drawn(2, 2, 4, 8, 8))
    null = model.cache_null((8, 8), 2)
    with_references, without = model.eps(x_t, t, lq, memory=cache), model.eps(x_t, t, lq, memory=null)
    for scale in (0.0, 1.0, 1.5):
        guided = model.guided_eps(lq, cache, null, scale=scale)(x_t, t)
        assert torch.allclose(guided, without + scale * (with_references - without), atol=1e-4)


@given(steps=st.integers(1, 1000), spacing=st.sampled_from(["uniform", "uniform_trailing"]))
@settings(max_examples=200, deadline=None)
def test_exactly_the_steps_asked_for(steps: int, spacing: str) -> None:
    chosen = spaced_timesteps(steps, spacing)  # type: ignore[arg-type]
    assert len(chosen) == steps
    assert chosen == sorted(set(chosen))
    assert chosen[0] >= 0
    assert chosen[-1] <= 999
    if 1000 % steps == 0 and steps < 1000:
        step = 1000 // steps
        released = {
            "uniform": [t + 1 for t in range(0, 1000, step)],
            "uniform_trailing": [t - 1 for t in range(1000, 0, -step)][::-1],
        }
        assert chosen == released[spacing]


def test_impossible_numbers_of_steps_are_refused() -> None:
    for steps in (0, 1001):
        with pytest.raises(RefbenchError, match="must be 1 to 1000"):
            spaced_timesteps(steps, "uniform")


def test_ddim_with_the_true_noise_arrives() -> None:
    schedule = Schedule.from_config(DiffusionConfig())
    x0, noise = drawn(2, 4, 8, 8), torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([999, 999])
    start = schedule.add_noise(x0, noise, t)
    assert torch.allclose(schedule.predict_x0(start, noise, t), x0, atol=1e-4)
    end = ddim(lambda x_t, now: noise, start, schedule, timesteps=spaced_timesteps(10, "uniform_trailing"))
    assert torch.allclose(end, schedule.add_noise(x0, noise, torch.tensor([0, 0])), atol=1e-4)


def test_batch_equals_one_by_one_and_mixed_counts(model: RefLdm, monkeypatch: pytest.MonkeyPatch) -> None:
    lq = drawn(3, 3, SIZE, SIZE)
    references = [drawn(n, 3, SIZE, SIZE, seed=n) for n in (2, 1, 2)]
    together = run(restorer(model), lq, references, [1, 2, 3])
    alone = [
        run(restorer(model), lq[i : i + 1], references[i : i + 1], [seed]) for i, seed in enumerate([1, 2, 3])
    ]
    assert torch.equal(together, torch.cat(alone))
    in_groups = restorer(model)
    monkeypatch.setattr(in_groups, "_groups", lambda counts: [[1], [0, 2]])
    assert torch.allclose(run(in_groups, lq, references, [1, 2, 3]), together, atol=1e-4)
    assert together.shape == lq.shape
    assert float(together.std()) > 0.01


def test_a_kept_cache_equals_a_rebuilt_one(model: RefLdm, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    encode = RefLdm.encode_references
    monkeypatch.setattr(
        RefLdm, "encode_references", lambda self, given: passes.append(given.shape) or encode(self, given)
    )
    lq, references = drawn(1, 3, SIZE, SIZE), drawn(2, 3, SIZE, SIZE, seed=5)
    kept = restorer(model)
    first = run(kept, lq, [references], [7])
    again = run(kept, lq, [references], [7])
    other_target = run(kept, 1 - lq, [references.flip(0)], [8])
    assert len(passes) == 2
    assert torch.equal(first, again)
    assert torch.allclose(other_target, run(restorer(model), 1 - lq, [references.flip(0)], [8]), atol=1e-5)
    assert len(passes) == 4


def test_kept_caches_forget_the_oldest() -> None:
    def made(size: int) -> CacheKV:
        return CacheKV(((torch.zeros(1, 1, size, 1), torch.zeros(1, 1, size, 1)),))

    kept = ContentCache[CacheKV](3 * made(10).nbytes, lambda cache: cache.nbytes)
    a, b, c, d = (torch.full((2,), float(value)) for value in range(4))
    for image in (a, b, c):
        kept.get(image, lambda: made(10))
    kept.get(a.clone(), lambda: pytest.fail("a is kept"))
    kept.get(d, lambda: made(10))
    kept.get(a, lambda: pytest.fail("a was used lately"))
    fresh: list[int] = []
    kept.get(b, lambda: fresh.append(1) or made(10))  # type: ignore[func-returns-value]
    assert fresh == [1]


def test_threads_do_not_mix(model: RefLdm) -> None:
    shared = restorer(model)
    lq = [drawn(1, 3, SIZE, SIZE, seed=seed) for seed in range(4)]
    references = [drawn(1, 3, SIZE, SIZE, seed=10 + seed) for seed in range(4)]
    wanted = [run(restorer(model), lq[i], [references[i]], [i]) for i in range(4)]
    got: dict[int, Tensor] = {}

    def work(i: int) -> None:
        got[i] = run(shared, lq[i], [references[i]], [i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert torch.allclose(got[i], wanted[i], atol=1e-5)


def test_noise_is_per_image_or_shared(model: RefLdm) -> None:
    lq = drawn(1, 3, SIZE, SIZE)
    references = [drawn(1, 3, SIZE, SIZE, seed=3)]
    assert not torch.allclose(*(run(restorer(model), lq, references, [seed]) for seed in (1, 2)))
    shared = restorer(model, noise="shared")
    assert torch.equal(*(run(shared, lq, references, [seed]) for seed in (1, 2)))


def test_references_beyond_the_limit_are_left_out_and_none_is_null(model: RefLdm) -> None:
    lq = drawn(1, 3, SIZE, SIZE)
    many = drawn(4, 3, SIZE, SIZE, seed=3)
    assert torch.equal(
        run(restorer(model, references=2), lq, [many], [1]), run(restorer(model), lq, [many[:2]], [1])
    )
    null = restorer(model, references=0)
    assert torch.equal(run(null, lq, [many], [1]), run(null, lq, [many[:0]], [1]))
    with pytest.raises(InvalidInputError, match="at least one reference"):
        run(restorer(model), lq, [many[:0]], [1])


@given(
    height=st.integers(3, 20), width=st.integers(3, 20), tile=st.integers(3, 24), overlap=st.integers(0, 2)
)
@settings(max_examples=60, deadline=None)
def test_tiles_of_a_local_decoder_join_without_seams(
    height: int, width: int, tile: int, overlap: int
) -> None:
    latents = drawn(1, 3, height, width)

    def decode(given: Tensor) -> Tensor:
        return nn.functional.interpolate(given, scale_factor=4)

    assert torch.allclose(
        decode_in_tiles(decode, latents, tile=tile, factor=4, overlap=overlap), decode(latents), atol=1e-5
    )


def test_decoding_in_tiles_is_near_the_whole(model: RefLdm) -> None:
    lq, references = drawn(1, 3, 64, 64), [drawn(1, 3, 64, 64, seed=3)]
    whole = run(restorer(model), lq, references, [1])
    tiled = run(restorer(model, decoder_tile=12), lq, references, [1])
    assert 0 < float((whole - tiled).abs().mean()) < 0.3 * float(whole.std())
    with pytest.raises(ValueError, match="larger than the overlap"):
        decode_in_tiles(model.decode, torch.zeros(1, 4, 16, 16), tile=8, factor=4)


def test_lower_precisions_are_near_and_leave_the_model_alone(model: RefLdm) -> None:
    lq, references = drawn(1, 3, SIZE, SIZE), [drawn(2, 3, SIZE, SIZE, seed=3)]
    exact = run(restorer(model), lq, references, [1])
    for precision in ("mixed", "bfloat16"):
        lower = run(restorer(model, precision=precision), lq, references, [1])
        assert 0 < float((lower - exact).abs().mean()) < 0.2 * float(exact.std())
    assert torch.equal(run(restorer(model), lq, references, [1]), exact)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@torch.inference_mode()
def test_codes_do_not_depend_on_precision(model: RefLdm) -> None:
    latents = drawn(1, 4, 16, 16) * 4 - 2
    exact = model.autoencoder.quantize.nearest(latents)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.autoencoder.quantize.nearest(latents), exact)


@pytest.mark.parametrize("biased", [False, True])
@torch.inference_mode()
def test_attention_by_blocks_is_attention(biased: bool) -> None:
    q, k, v = drawn(2, 3, 300, 8), drawn(2, 3, 7, 8, seed=2), drawn(2, 3, 7, 8, seed=3)
    bias = drawn(1, 1, 1, 7, seed=4) if biased else None
    wanted = nn.functional.scaled_dot_product_attention(q, k, v, bias)
    assert torch.allclose(attend_in_blocks(q, k, v, bias=bias), wanted, atol=1e-5)


def test_settings_change_a_preset() -> None:
    chosen = choose_sampling(PRESETS, "demo,steps=7,solver=dpm++", "refldm")
    assert chosen == PRESETS["demo"].model_copy(update={"steps": 7, "solver": "dpm++"})
    assert choose_sampling(PRESETS, "steps=3", "refldm").noise == "shared"
    for preset, reason in (
        ("demo,paper", "no preset"),
        ("steps=0", "steps"),
        ("decoder_tile=8", "larger than the overlap"),
        ("stps=3", "settings of refldm are"),
    ):
        with pytest.raises(RefbenchError, match=reason):
            choose_sampling(PRESETS, preset, "refldm")


def test_a_size_that_does_not_fit_is_named(model: RefLdm) -> None:
    with pytest.raises(InvalidInputError, match="36x32; its sides must be multiples of 8"):
        run(restorer(model), drawn(1, 3, 32, 36), [drawn(1, 3, 32, 36)], [1])


def test_presets_are_the_published_settings() -> None:
    paper, demo = PRESETS["paper"], PRESETS["demo"]
    assert (paper.steps, paper.spacing, paper.guidance, paper.references) == (100, "uniform", 1.5, 5)
    assert paper.noise == "shared"
    assert (demo.steps, demo.spacing) == (50, "uniform_trailing")


def test_absent_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from refbench.models.checkpoints.registry import load_restorer

    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(RefbenchError, match="refbench weights fetch refldm"):
        load_restorer("refldm")
