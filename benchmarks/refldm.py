"""How fast full-size ReF-LDM restores one 512x512 face on this processor, beside a plain implementation.

    python benchmarks/refldm.py                  # 4 references, guidance 1.5, 50 steps, random weights
    python benchmarks/refldm.py --memory         # peak memory for 1, 2 and 4 references

The plain implementation is the same network as it is usually written: float32, NCHW, attention by einsum
with the whole matrix of weights in memory, N null references cached N times, two passes a step. Steps are
timed singly and counted as often as asked for; everything else is timed as it is used. Each time is the
least of the repeats. CPU seconds are those of all threads: on a busy machine they say more than wall time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import torch
from refbench.models import attention, autoencoder, unet
from refbench.models.attention import CacheKV
from refbench.models.ddim import ddim, spaced_timesteps
from refbench.models.refldm import RefLdm, RefLdmConfig
from torch import Tensor
from torch.nn import functional as F

PEER = {
    "encode LQ": 4.0,
    "encode and cache references": 22.0 + 6.9 - 2.2,
    "guided step": 2.2,
    "decode": 6.4,
}
PEER_NOTE = "the authors' code, float32, two cores with AMX, 2026; fixed figures, not run here"


@dataclass
class Times:
    """Seconds per part: wall and CPU."""

    wall: dict[str, float]
    cpu: dict[str, float]


def main() -> None:
    options = read_options()
    torch.set_num_threads(options.threads)
    if options.peak_of is not None:
        report_peak(options.peak_of, options.precision)
        return
    if options.memory:
        compare_memory(options.precision)
        return
    model = full_size_model()
    given = draw_inputs(options.references)
    runs: dict[str, Times] = {}
    images: dict[str, Tensor] = {}
    if not options.skip_plain:
        with plain_modules():
            runs["plain float32"], images["plain float32"] = measure(model, given, options, plain=True)
    model = model.to(memory_format=torch.channels_last)
    for precision in ("float32", "bfloat16"):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            runs[precision], images[precision] = measure(model, given, options, plain=False)
    print_table(runs, options)
    for name in images:
        if name != "float32":
            print(f"\n{name} against float32: {psnr(images[name], images['float32']):.1f} dB", end="")
    print(f" (image after {options.check_steps} steps, random weights)")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--check-steps", type=int, default=4, help="steps of the image that is compared")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def full_size_model() -> RefLdm:
    """Random weights, none of them zero, so that every layer does its work."""
    torch.manual_seed(0)
    model = RefLdm(RefLdmConfig()).eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)
    model.autoencoder.quantize.embedding.weight.normal_(std=0.5)
    return model


def draw_inputs(references: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "lq": torch.rand(1, 3, 512, 512, generator=generator),
        "references": torch.rand(1, references, 3, 512, 512, generator=generator),
        "noise": torch.randn(1, 8, 64, 64, generator=generator),
    }


@torch.inference_mode()
def measure(
    model: RefLdm, given: dict[str, Tensor], options: argparse.Namespace, plain: bool
) -> tuple[Times, Tensor]:
    times = Times({}, {})

    def timed(name: str, work: Callable[[], object], repeats: int) -> None:
        wall, cpu = [], []
        for _ in range(repeats):
            start = time.perf_counter(), time.process_time()
            work()
            wall.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
        times.wall[name], times.cpu[name] = min(wall), min(cpu)

    count = given["references"].shape[1]

    def caches() -> tuple[CacheKV, CacheKV]:
        latents = model.encode_references(given["references"])
        references = model.cache_references(latents)
        if plain:
            return references, model.cache_references(torch.zeros_like(latents))
        return references, model.cache_null((latents.shape[-2], latents.shape[-1]), count)

    lq = model.encode(given["lq"])
    references, null = caches()
    eps = (
        plain_guided_eps(model, lq, references, null)
        if plain
        else model.guided_eps(lq, references, null, 1.5)
    )
    now = torch.tensor([500])
    eps(given["noise"], now)
    timed("encode LQ", lambda: model.encode(given["lq"]), options.repeats)
    timed("encode and cache references", caches, 1)
    timed("guided step", lambda: eps(given["noise"], now), 2 * options.repeats)
    timed("decode", lambda: model.decode(given["noise"]), options.repeats)
    steps = spaced_timesteps(options.check_steps, "uniform_trailing")
    image = model.decode(ddim(eps, given["noise"], model.schedule, steps))
    return times, image.float().clamp(0, 1)


def print_table(runs: dict[str, Times], options: argparse.Namespace) -> None:
    parts = list(PEER)
    print(
        f"{options.references} references, guidance 1.5, {options.steps} steps, {options.threads} threads\n"
    )
    print(f"| | {' | '.join(parts)} | whole image | second target of the person |")
    print("|---" * (len(parts) + 3) + "|")
    rows = {f"{name}, wall": times.wall for name, times in runs.items()}
    rows |= {f"{name}, CPU": times.cpu for name, times in runs.items()}
    for name, seconds in (rows | {"peer": PEER}).items():
        cells = [f"{seconds[part]:.2f} s" for part in parts]
        again = total(seconds, options.steps) - seconds["encode and cache references"]
        print(f"| {name} | {' | '.join(cells)} | {total(seconds, options.steps):.0f} s | {again:.0f} s |")
    print(f"\npeer: {PEER_NOTE}; every target pays for its references again")
    if "plain float32" in runs:
        base = runs["plain float32"]
        for name in ("float32", "bfloat16"):
            wall = total(base.wall, options.steps) / total(runs[name].wall, options.steps)
            cpu = total(base.cpu, options.steps) / total(runs[name].cpu, options.steps)
            print(f"{name}: {wall:.2f} times as fast as plain by wall time, {cpu:.2f} by CPU time")


def total(seconds: dict[str, float], steps: int) -> float:
    return sum(value * (steps if part == "guided step" else 1) for part, value in seconds.items())


def psnr(left: Tensor, right: Tensor) -> float:
    return float(-10 * (left - right).square().mean().log10())


@contextmanager
def plain_modules() -> Iterator[None]:
    """The same network with attention by einsum and without fused kernels."""
    with (
        patch.object(F, "scaled_dot_product_attention", einsum_attention),
        patch.object(unet.AttentionBlock, "forward", plain_attention_block),
        patch.object(autoencoder.Upsample, "forward", unet.Upsample.forward),
        patch.object(autoencoder, "activated", lambda norm, x: F.silu(norm(x))),
    ):
        yield


def einsum_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    scale = q.shape[-1] ** -0.25
    weights = torch.einsum("bhqc,bhkc->bhqk", q * scale, k * scale).softmax(-1)
    return torch.einsum("bhqk,bhkc->bhqc", weights, v)


def plain_attention_block(
    block: unet.AttentionBlock, x: Tensor, memory: attention.Memory, context: Tensor | None
) -> Tensor:
    batch, channels, height, width = x.shape
    tokens = x.flatten(2)
    qkv = block.qkv(block.norm(tokens)).view(batch, block.heads, 3, channels // block.heads, -1)
    q, k, v = qkv.transpose(-1, -2).unbind(2)
    attended = memory.attend(block.layer, q, k, v).transpose(-1, -2).reshape(batch, channels, -1)
    return (tokens + block.proj_out(attended)).view(batch, channels, height, width)


def plain_guided_eps(
    model: RefLdm, lq: Tensor, references: CacheKV, null: CacheKV
) -> Callable[[Tensor, Tensor], Tensor]:
    def eps(x_t: Tensor, timesteps: Tensor) -> Tensor:
        without = model.eps(x_t, timesteps, lq, null)
        return without + 1.5 * (model.eps(x_t, timesteps, lq, references) - without)

    return eps


def compare_memory(precision: str) -> None:
    """Peak memory in processes of their own."""
    print("| references | peak memory | kept for the person |\n|---|---|---|")
    for count in (1, 2, 4):
        command = [sys.executable, __file__, "--peak-of", str(count), "--precision", precision]
        subprocess.run(command, check=True)


@torch.inference_mode()
def report_peak(references: int, precision: str) -> None:
    model = full_size_model().to(memory_format=torch.channels_last)
    given = draw_inputs(references)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        lq = model.encode(given["lq"])
        cache = model.cache_references(model.encode_references(given["references"]))
        null = model.cache_null((64, 64), references)
        eps = model.guided_eps(lq, cache, null, 1.5)
        model.decode(ddim(eps, given["noise"], model.schedule, [999]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {references} | {peak:.0f} MiB | {cache.nbytes / 2**20:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
