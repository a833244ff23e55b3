"""Options of publishing: where the pictures come from, and whether the site goes to a Space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ...records.options import Options
from ..estimands import MeanOver

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def _as_list(value: object) -> object:
    """A single path stands for a list of one."""
    return [value] if isinstance(value, str | Path) else value


def _hub_name(value: str) -> str:
    if value and not HUB_NAME.fullmatch(value):
        raise PydanticCustomError("hub_name", "a repository on the Hub is named owner/name")
    return value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_as_list)]
HubName = Annotated[str, AfterValidator(_hub_name)]


class HubKeywords(TypedDict, total=False):
    """The fields of `PublishOptions` that are no paths, as keywords of `publish`."""

    mean: MeanOver
    push: str
    private: bool


class PublishKeywords(HubKeywords, total=False):
    """The fields of `PublishOptions` as keyword arguments."""

    reference_sets: Sequence[Path] | Path
    submissions: Sequence[Path] | Path


class PublishOptions(Options):
    """Every choice of publishing beyond the store and the folder of the site.

    Attributes:
        reference_sets: folders of the sets that the records were scored on; each brings the pictures (LQ, HQ,
            references) of its benchmarks. Without them the site has tables alone.
        submissions: folders or archives of restored images, or folders of such; each is matched to its record
            by the hash of its images. Without them the comparison pages show no model.
        mean: what means, intervals, tests and ranks are taken over: images, or people with equal weights. The
            front page can be switched to the other.
        push: ``owner/name`` of a static Space on the Hugging Face Hub that becomes the same as the site;
            empty for none.
        private: make that Space private if it is new.

    Raises:
        RefbenchError: an unknown option; ``push`` is not of the form ``owner/name``.
    """

    WHAT = "publish options"

    reference_sets: Paths = Field(
        default=(),
        description="Folder of a reference set, for the pictures; may be repeated (default: none).",
    )
    submissions: Paths = Field(
        default=(),
        description="Folder or archive of a submission, or a folder of several, for the pictures; may be "
        "repeated (default: none).",
    )
    mean: MeanOver = Field(
        default="images",
        description="What means, intervals and ranks are taken over: images, or people with equal weights; "
        "the front page can be switched to the other.",
    )
    push: HubName = Field(
        default="",
        description="OWNER/NAME of a static Space on the Hugging Face Hub to send the site to "
        "(default: none; the site stays on disk).",
    )
    private: bool = Field(
        default=False, description="Make that Space private if it is new (default: public)."
    )
