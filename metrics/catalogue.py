"""Catalogue of metrics: the declared protocols by id, the default lists, and lookup of derived protocols.

To add a metric to the package, write one file with its kernel, its feature and a declaration, and name the
file in `FAMILIES` (docs/add_a_metric.md). To add one from outside, call `register`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ..errors import RefbenchError
from ..files import names_of
from ..records.protocol import GAIN
from ..records.protocol import Protocol as Protocol
from ..records.protocol import ProtocolId as ProtocolId
from ..records.record import Record
from ..user_code import import_object
from .core.metric import ImageMetric, Metric, SetMetric
from .distances.statistics_file import against_statistics
from .protocols import (
    colour,
    copy_detection,
    flpips,
    identity,
    inception,
    landmark,
    lpips,
    no_reference,
    pixel,
    superseded,
)
from .protocols.gain import gain_of
from .requirements import missing

FAMILIES = (pixel, lpips, flpips, identity, landmark, copy_detection, colour, inception)
GAINS = ("psnr/rgb", "ssim/y-full@2", "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1", "ids/dlib-resnet-5pt-v1")
OWN_RECOGNISER = "ids:"
OWN_FIX = "a metric of your own is package.module:NAME of a declared metric (docs/add_a_metric.md)"
FIRST_VERSION = "@1"

METRICS: dict[str, Metric] = {}
"""The declared metrics by protocol id; `find` also gives those that are derived from an id."""

PROTOCOLS: dict[str, Protocol] = {}
"""The declared protocols by id; `protocols_of` adds derived ones, such as ``lpips/vgg-v0.1+bf16``."""

SUPERSEDED: dict[str, Metric] = {metric.protocol.id: metric for metric in superseded.METRICS}
"""Old versions of metrics by id, which records of earlier versions name; `newest` gives the id of today."""

OFFLINE: tuple[str, ...] = (
    "psnr/rgb",
    "ssim/y-full@2",
    "lpips/alex-v0.1",
    "ids/mobilefacenet-5pt-v1",
    "ids/dlib-resnet-5pt-v1",
    "ids-refs-mean/mobilefacenet-5pt-v1",
    "ids-refs-max/mobilefacenet-5pt-v1",
    "fd/alexnet-relu5-v1",
    "fd/dlib-resnet-5pt-v1",
)
"""The default list: the cheapest protocols, which need only the weights of group ``demo``.

LPIPS on VGG16 is left out: it takes about twenty times as long as on AlexNet. The Fréchet distances reuse
features that LPIPS and IDS compute anyway, so they cost nothing.
"""

PAPER: tuple[str, ...] = (
    "psnr/rgb",
    "ssim/y-full@2",
    "lpips/vgg-v0.1",
    "flpips/vgg-v0.1-parsenet",
    "ids/arcface-r50-webface-centercrop-v2",
    "ids/dlib-resnet-5pt-v1",
    "fid/inception-clean-ffhq70k-512",
)
"""The protocols of ReF-LDM's table (without ``pyiqa/niqe`` and ``pyiqa/musiq``), and a second recogniser."""

LISTS = {"offline": OFFLINE, "default": OFFLINE, "paper": PAPER}
ALL_READY = "all"
"""The list of every declared protocol for which this machine has weights, statistics and packages."""

OWN: dict[str, Path] = {}
"""The file that defines each metric of the user's own that was named as ``module:NAME``, by protocol id."""


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


def newest(name: str) -> str:
    """The id that an id is scored as: of the current version, where it names no version or an old one.

    ``ssim/y-full`` gives ``ssim/y-full@2``, and so within a gain. An id that ends in ``@1`` asks for the
    first version and stays.
    """
    base = name.removeprefix(GAIN)
    if base in SUPERSEDED:
        return name.removesuffix(base) + SUPERSEDED[base].protocol.superseded_by
    return name


def find(name: str) -> Metric:
    """The metric of an id, declared or derived from the id.

    Derived ones are ``pyiqa/NAME`` for any no-reference metric of pyiqa, ``gain:ID`` for the gain over LQ in
    any metric that compares with HQ, ``ids:FILE`` or ``ids:FILE@CROP`` for IDS with a recogniser of one's own
    (ONNX or TorchScript), and ``ID@NAME`` for a Fréchet distance to stored statistics instead of to HQ.
    ``package.module:NAME`` is a metric of one's own, see `own_metric`.

    Raises:
        RefbenchError: there is none (the nearest ids are named), or the id ends in ``+bf16``, which is the
            mark of a precision and no metric of its own (`protocol_of` says what such a number means).
    """
    if name in METRICS:
        return METRICS[name]
    if (old := name.removesuffix(FIRST_VERSION)) in SUPERSEDED:
        return SUPERSEDED[old]
    if name.startswith(OWN_RECOGNISER):
        file, _, crop = name.removeprefix(OWN_RECOGNISER).partition("@")
        return identity.own_identity(Path(file), crop) if crop else identity.own_identity(Path(file))
    if name.startswith(GAIN) and ":" in name.removeprefix(GAIN):
        return gain_of(_with_hq(name, find(name.removeprefix(GAIN))))
    if ":" in name.removeprefix(GAIN):
        return own_metric(name)
    if (derived := _derive(name)) is not None:
        return derived
    near = get_close_matches(name, METRICS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "see: refbench metrics list"
    raise RefbenchError(f"there is no protocol {name!r}; {hint}")


def select(names: Sequence[str] | str) -> tuple[Metric, ...]:
    """The metrics of these protocol ids or lists (``default``, ``paper``, ``all``), in this order.

    ``default`` and ``offline`` are one list; ``all`` is every protocol that this machine can compute.
    What is in two lists counts once. An id of an old version gives the current one, see `newest`.

    Raises:
        RefbenchError: an unknown id, one named twice, or none at all.
    """
    names = names_of(names)
    found: dict[str, Metric] = {}
    single: list[str] = []
    for name in names:
        for metric in _listed(name):
            found.setdefault(metric.protocol.id, metric)
            if not is_list(name):
                single.append(metric.protocol.id)
    if twice := sorted({name for name in single if single.count(name) > 1}):
        raise RefbenchError(f"named twice: {', '.join(twice)}; name each protocol once")
    if not found:
        raise RefbenchError("no protocol was named; see: refbench metrics list")
    return tuple(found.values())


def is_list(name: str) -> bool:
    """Whether a name is that of a list of protocols."""
    return name in LISTS or name == ALL_READY


def _listed(name: str) -> list[Metric]:
    """The metrics that a name of `select` stands for."""
    if name == ALL_READY:
        return [metric for metric in METRICS.values() if not missing(metric)]
    return [find(each) for each in LISTS[name]] if name in LISTS else [find(newest(name))]


def protocol_of(name: str) -> Protocol:
    """What an id in a record means: declared, derived as in `find`, or computed in bfloat16 (``+bf16``).

    Raises:
        RefbenchError: an id that this version does not know, for instance IDS with a recogniser of one's own.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    parsed = ProtocolId.parse(name)
    protocol = find(str(parsed.in_precision("float32"))).protocol
    if not parsed.is_lower_precision:
        return protocol
    return replace(protocol, id=name, title=f"{protocol.title}, bfloat16")


def protocols_of(names: Iterable[str] | str) -> dict[str, Protocol]:
    """The declared protocols, and of ``names`` those that can be derived, by id; unknown ids are left out."""
    names = names_of(names)
    found = dict(PROTOCOLS)
    for name in names:
        with suppress(RefbenchError):
            found[name] = protocol_of(name)
    return found


DECLARATION = "protocol "
"""Before the id of a protocol in a record's provenance, whose text is `Protocol.to_json`."""


def declarations(metrics: Iterable[Metric]) -> dict[str, str]:
    """The declarations of metrics that the catalogue does not hold by itself, for a record's provenance.

    They are those of the user's own, of pyiqa, and of recognisers and statistics of one's own. With them a
    record can be shown and ranked where the metric cannot be computed.
    """
    found = [m.protocol for m in metrics if m.protocol.id not in PROTOCOLS or m.protocol.id in OWN]
    return {f"{DECLARATION}{protocol.id}": protocol.to_json() for protocol in found}


def protocols_of_records(records: Iterable[Record]) -> dict[str, Protocol]:
    """The protocols that records name, by id: declared, derived, or as their provenance declares them.

    Ids that none of these knows are left out.
    """
    listed = list(records)
    found = protocols_of({name for record in listed for name in record.info.benchmark.protocols})
    for record in listed:
        for key, text in record.info.provenance.items():
            name = key.removeprefix(DECLARATION)
            if key.startswith(DECLARATION) and name not in found:
                with suppress(RefbenchError):
                    found[name] = Protocol.from_json(text)
    return found


def _with_hq(name: str, base: Metric) -> ImageMetric:
    if not isinstance(base, ImageMetric):
        raise RefbenchError(f"{name}: a gain is taken in a metric that compares each image with HQ")
    return base


def own_metric(spec: str) -> Metric:
    """A metric of one's own by ``package.module:NAME``; a module in the working folder is found too.

    It is added to the catalogue, so that its protocol id names it from then on.

    Raises:
        RefbenchError: no such module or object, an object that is no metric, or a protocol id that is taken.
    """
    found = import_object(spec, OWN_FIX)
    if not isinstance(found, Metric):
        raise RefbenchError(f"{spec} is of the type {type(found).__name__}, not a metric; {OWN_FIX}")
    name = found.protocol.id
    ProtocolId.parse(name)
    if METRICS.get(name) is not found:
        register(found)
    module = sys.modules[spec.partition(":")[0]]
    if module.__file__:
        OWN[name] = Path(module.__file__)
    return found


def _derive(name: str) -> Metric | None:
    """The metric that is derived from an undeclared id; None where there is none."""
    try:
        parsed = ProtocolId.parse(name)
    except RefbenchError:
        return None
    if parsed.is_lower_precision:
        exact = parsed.in_precision("float32")
        raise RefbenchError(
            f"{name} is {exact} computed in bfloat16; ask for {exact} with precision bfloat16"
        )
    if parsed.is_gain:
        return gain_of(_with_hq(name, find(str(parsed.base))))
    if parsed.family == no_reference.FAMILY:
        metric = no_reference.pyiqa_metric(parsed.variant)
        if parsed.qualifier and metric.protocol.id != name:
            raise RefbenchError(f"{name} is of another version than the installed {metric.protocol.id}")
        return metric
    unqualified = str(parsed.unqualified)
    declared = METRICS.get(unqualified, SUPERSEDED.get(unqualified))
    if parsed.qualifier and isinstance(declared, SetMetric):
        return against_statistics(declared, parsed.qualifier)
    return None


PROTOCOLS |= {name: metric.protocol for name, metric in SUPERSEDED.items()}
for _family in FAMILIES:
    for _metric in _family.METRICS:
        register(_metric)
for _name in GAINS:
    register(find(f"gain:{_name}"))
