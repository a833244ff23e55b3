"""Protocols and their ids: a metric with everything that fixes its number, as one declared object."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, Self, get_args

from ..deprecated import renamed_keywords, warn
from ..errors import RefbenchError
from ..files import canonical_json

ComparedWith = Literal["hq", "lq", "references", "none", "set"]

GAIN = "gain:"
LOWER_PRECISION = "+bf16"


@dataclass(frozen=True, slots=True)
class ProtocolId:
    """A protocol id in its parts: ``[gain:]FAMILY/VARIANT[@QUALIFIER][+bf16]``.

    Attributes:
        family: kind of metric, for instance ``lpips`` or ``fid``; ``pyiqa`` for the metrics of that package.
        variant: network, crop or colour, often with a version, for instance ``alex-v0.1``.
        qualifier: after ``@``: the version of the package that computes the number, or the name and hash of
            the statistics that a set is compared with; empty for none.
        is_gain: the improvement over the LQ image in the protocol of the other parts.
        is_lower_precision: computed in bfloat16.
    """

    family: str
    variant: str
    qualifier: str = ""
    is_gain: bool = False
    is_lower_precision: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of an id; ``str`` of them gives ``text`` again.

        Raises:
            RefbenchError: not of the form ``FAMILY/VARIANT``, with what may stand around it.
        """
        base = text.removeprefix(GAIN).removesuffix(LOWER_PRECISION)
        name, at, qualifier = base.partition("@")
        family, _, variant = name.partition("/")
        if not family or not variant or (at and not qualifier):
            fix = "wanted FAMILY/VARIANT, such as psnr/rgb; see: refbench metrics list"
            raise RefbenchError(f"{text!r} is not a protocol id; {fix}")
        return cls(
            family,
            variant,
            qualifier,
            is_gain=text.startswith(GAIN),
            is_lower_precision=text.endswith(LOWER_PRECISION),
        )

    @property
    def base(self) -> Self:
        """The id that a gain is taken in, and any other id itself."""
        return replace(self, is_gain=False)

    @property
    def unqualified(self) -> Self:
        """The id without what stands behind ``@``."""
        return replace(self, qualifier="")

    def in_precision(self, precision: str) -> Self:
        """The id of the same number computed in ``float32`` or ``bfloat16``."""
        return replace(self, is_lower_precision=precision == "bfloat16")

    def __str__(self) -> str:
        """The id as text."""
        behind = f"@{self.qualifier}" if self.qualifier else ""
        gain, lower = GAIN * self.is_gain, LOWER_PRECISION * self.is_lower_precision
        return f"{gain}{self.family}/{self.variant}{behind}{lower}"


@renamed_keywords(counterpart="compared_with")
@dataclass(frozen=True, slots=True)
class Protocol:
    """The meaning of a number. Whoever changes a part that moves the number changes the id too.

    Attributes:
        id: versioned name, printed wherever the number goes, for instance ``lpips/alex-v0.1``.
        title: short column heading, for instance ``LPIPS (AlexNet)``.
        higher_is_better: the direction.
        unit: of the value, for instance ``dB``, ``cosine`` or ``1`` for a pure number.
        bounds: least and greatest possible value; None where there is none.
        compared_with: what the restored image is compared with.
        decimals: places shown on the board (ranking always uses full precision).
        weights: names in the weights table that the number depends on.
        definition: crop, resize, colour, range and rounding, in one or two sentences.
        licence: of the metric's code and weights.
        citation: where the metric comes from.
        superseded_by: id of the version that replaced this one; empty for the current version.
    """

    id: str
    title: str
    higher_is_better: bool
    unit: str
    bounds: tuple[float | None, float | None]
    compared_with: ComparedWith
    decimals: int
    weights: tuple[str, ...]
    definition: str
    licence: str
    citation: str
    superseded_by: str = ""

    def to_json(self) -> str:
        """The declaration as canonical JSON, which `from_json` reads."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Protocol:
        """A protocol from what `to_json` wrote.

        Raises:
            RefbenchError: not such a text, or values of other types.
        """
        try:
            given = json.loads(text)
            wanted = {field.name for field in fields(cls)}
            if set(given) != wanted:
                raise ValueError(f"fields {', '.join(sorted(given))}")
            texts = wanted - {"higher_is_better", "bounds", "decimals", "weights"}
            low, high = (None if end is None else float(end) for end in given["bounds"])
            against = get_args(ComparedWith)
            if (
                not all(isinstance(given[name], str) for name in texts)
                or given["compared_with"] not in against
            ):
                raise ValueError("a field of another type")
            ProtocolId.parse(given["id"])
            return cls(
                **{name: given[name] for name in texts},
                higher_is_better=bool(given["higher_is_better"]),
                bounds=(low, high),
                decimals=min(12, max(0, int(given["decimals"]))),
                weights=tuple(str(name) for name in given["weights"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise RefbenchError(f"not the declaration of a protocol: {error}") from None

    @property
    def scored_as(self) -> str:
        """The id to score by for this version itself, where the id alone would give its successor."""
        return f"{self.id}@1" if self.superseded_by else self.id

    @property
    def is_set_metric(self) -> bool:
        """Whether the number is of the whole set, as FID is, and no single image has one."""
        return self.compared_with == "set"

    @property
    def counterpart(self) -> ComparedWith:
        """``compared_with`` by its name in 0.1."""
        warn("Protocol.counterpart", "Protocol.compared_with")
        return self.compared_with
