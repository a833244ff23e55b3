"""Every metric the suite offers, by id; what is not declared is not scored.

A metric of one's own is one file with a kernel, a feature and a declaration, and one name in `FAMILIES`
(docs/add_a_metric.md), or `register` from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ..errors import RefbenchError
from ..records.protocol import Protocol
from .core.metric import ImageMetric, Metric, SetMetric
from .distances.statistics_file import against_statistics
from .protocols import (
    colour,
    identity,
    inception,
    landmark,
    no_reference,
    pixel,
)
from .protocols import (
    copy_detection as copying,
)
from .protocols import (
    flpips as masks,
)
from .protocols import (
    lpips as perceptual,
)
from .protocols.gain import gain_of

FAMILIES = (pixel, perceptual, masks, identity, landmark, copying, colour, inception)
BF16 = "+bf16"
GAINS = ("psnr/rgb", "ssim/y-full", "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1", "ids/dlib-resnet-5pt-v1")


class Protocols(dict[str, Protocol]):
    """The declared protocols by id; one that is made when asked for (see `find`) is found all the same."""

    def __missing__(self, name: str) -> Protocol:
        return protocol_of(name)

    def get(self, name: str, default: Protocol | None = None) -> Protocol | None:  # type: ignore[override]
        """The protocol of an id, or ``default`` where this version knows none."""
        try:
            return self[name]
        except RefbenchError:
            return default


METRICS: dict[str, Metric] = {}
PROTOCOLS = Protocols()

OFFLINE: tuple[str, ...] = (
    "psnr/rgb",
    "ssim/y-full",
    "lpips/alex-v0.1",
    "ids/mobilefacenet-5pt-v1",
    "ids/dlib-resnet-5pt-v1",
    "ids-refs-mean/mobilefacenet-5pt-v1",
    "ids-refs-max/mobilefacenet-5pt-v1",
    "fd/alexnet-relu5-v1",
    "fd/dlib-resnet-5pt-v1",
)
"""The default list: what needs only the weights of group ``demo`` and costs least.

LPIPS on VGG16 is left out: it takes about twenty times as long as on AlexNet. The Fréchet distances here
reuse features that LPIPS and IDS compute anyway, so they cost nothing.
"""

PAPER: tuple[str, ...] = (
    "psnr/rgb",
    "ssim/y-full",
    "lpips/vgg-v0.1",
    "flpips/vgg-v0.1-parsenet",
    "ids/arcface-r50-webface-centercrop-v1",
    "ids/dlib-resnet-5pt-v1",
    "fid/inception-clean-ffhq70k-512",
)
"""ReF-LDM's table (without ``pyiqa/niqe`` and ``pyiqa/musiq``), and a second recogniser beside its own."""

LISTS = {"offline": OFFLINE, "paper": PAPER}


def register(metric: Metric) -> None:
    """Add a metric to the catalogue.

    Raises:
        RefbenchError: its id is taken.
    """
    name = metric.protocol.id
    if name in METRICS:
        raise RefbenchError(
            f"the protocol id {name!r} is taken; an id names one metric for ever: choose another"
        )
    METRICS[name] = metric
    PROTOCOLS[name] = metric.protocol


def find(name: str) -> Metric:
    """The metric of an id.

    Besides the declared ones: ``pyiqa/NAME`` for any metric of pyiqa that needs no reference, ``gain:ID``
    for the gain over LQ in any metric against HQ, ``ids:FILE`` or ``ids:FILE@CROP`` for IDS with a recogniser
    of one's own, and ``ID@NAME`` for a Fréchet distance to statistics kept under a name instead of to HQ.

    Raises:
        RefbenchError: there is none; the nearest ids are named.
    """
    if name in METRICS:
        return METRICS[name]
    if name.startswith(no_reference.PREFIX):
        wanted = name.removeprefix(no_reference.PREFIX)
        found = no_reference.pyiqa_metric(wanted.partition("@")[0])
        if "@" in wanted and found.protocol.id != name:
            raise RefbenchError(f"{name} is of another version than the installed {found.protocol.id}")
        return found
    if name.startswith("gain:"):
        base = find(name.removeprefix("gain:"))
        if isinstance(base, ImageMetric):
            return gain_of(base)
        raise RefbenchError(f"{name}: a gain is taken in a metric of single images against HQ")
    if name.startswith("ids:"):
        file, _, crop = name.removeprefix("ids:").partition("@")
        return identity.own_identity(Path(file), crop) if crop else identity.own_identity(Path(file))
    declared, _, statistics = name.partition("@")
    if statistics and isinstance(metric := METRICS.get(declared), SetMetric):
        return against_statistics(metric, statistics)
    near = get_close_matches(name, METRICS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "see: refbench metrics list"
    raise RefbenchError(f"there is no protocol {name!r}; {hint}")


def select(names: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of these protocol ids or lists (``offline``, ``paper``), in this order.

    Raises:
        RefbenchError: an unknown id, one named twice, or none at all.
    """
    wanted = [each for name in names for each in LISTS.get(name, (name,))]
    found = [find(name) for name in wanted]
    ids = [metric.protocol.id for metric in found]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise RefbenchError(f"named twice: {', '.join(twice)}; name each protocol once")
    if not found:
        raise RefbenchError("no protocol was named; see: refbench metrics list")
    return tuple(found)


def protocol_of(name: str) -> Protocol:
    """What an id in a record means, of whatever kind: declared, of pyiqa, a gain, or marked ``+bf16``.

    Raises:
        RefbenchError: an id that this version does not know, for instance IDS with a recogniser of one's own.
    """
    plain = name.removesuffix(BF16)
    protocol = find(plain).protocol
    if plain == name:
        return protocol
    return replace(protocol, id=name, title=f"{protocol.title}, bfloat16")


for _family in FAMILIES:
    for _metric in _family.METRICS:
        register(_metric)
for _name in GAINS:
    register(find(f"gain:{_name}"))
