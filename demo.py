"""The demo: all five verbs on the bundled sample people, or on a folder of one's own photos.

Nothing here is special: each step is a verb that a user can call alone, and the closing text says how.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RefbenchError
from .progress import say
from .weights import weight_files

if TYPE_CHECKING:
    import pandas as pd

    from .builders.settings.options import BuildOptions
    from .records.record import Record

RECIPES = ("refldm-moderate", "refldm-severe")
RESTORERS = (
    *("lq-copy", "classical"),
    *("ldm-mini", "refldm-mini", "composite-context-mini"),
    "reference-copy",
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo made: its folder, the first page, how many of what, and the table of means."""

    out: Path
    page: Path
    counts: dict[str, int]
    records: Sequence[Record]
    seconds: float

    @property
    def table(self) -> pd.DataFrame:
        """One row per restorer and recipe, one column per protocol: means over the images."""
        from .verbs import summary

        return summary(self.records)

    def as_json(self) -> dict[str, Any]:
        """The result for machines."""
        return {
            "out": str(self.out),
            "page": str(self.page),
            "counts": self.counts,
            "table": self.table.to_dict("records"),
        }

    def text(self) -> str:
        """The result for people: the table, where the page is, and what to try next."""
        table = self.table.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.3f}")
        found = f"{self.counts['identities']} people found in {self.counts['photos']} photos"
        built, store, hardest = self.out / "set", self.out / "store", RECIPES[-1]
        return "\n".join(
            (
                table,
                "",
                f"{found}; all done in {self.seconds:.0f} s.",
                f"The leaderboard: open {self.page.resolve()} in a browser.",
                "",
                "Try next:",
                "  refbench demo --photos DIR --out my-demo",
                f"  refbench inspect {built}",
                f"  refbench restore {built} --recipe {hardest} --model MODULE:CLASS --out my-model",
                f"  refbench score {built} my-model --recipe {hardest} --store {store}",
                f"  refbench publish {store} {built} my-model --out site",
            )
        )


def demo(out: Path, photos: Path | None = None, device: str = "auto") -> DemoResult:
    """Build a reference set, degrade, restore, score and publish, all below ``out``.

    What an earlier run has done is reused; the same photos always give the same bytes. Times and memory are
    left out of the cards for that reason.

    Args:
        out: folder to write.
        photos: folder of photos; None for the sample people.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto``.

    Raises:
        RefbenchError: weights of the group ``demo`` are absent; no usable face; no person with two photos.
    """
    require_weights()
    from .samples.sample_people import PEOPLE
    from .verbs import build, degrade, publish, restore, score

    start = time.monotonic()
    built = build(photos or PEOPLE, out / "set", _options(photos))
    for warning in built.warnings:
        say(f"warning: {warning}")
    degrade(out / "set", RECIPES)
    records: list[Record] = []
    folders: list[Path] = []
    for recipe in RECIPES:
        made = [out / "submissions" / recipe / model for model in RESTORERS]
        for model, folder in zip(RESTORERS, made, strict=True):
            restore(out / "set", recipe, model, out=folder, device=device, record_times=False)
        records += score(out / "set", recipe, made, store=out / "store", device=device)
        folders += made
    page = publish(out / "store", out / "site", [out / "set"], submissions=folders)
    return DemoResult(out, page, built.counts, records, time.monotonic() - start)


def require_weights() -> None:
    """Raise one clear error if any weight of the group ``demo`` is absent."""
    absent = [name for name in weight_files.GROUPS["demo"] if weight_files.find(name) is None]
    if absent:
        raise RefbenchError(
            f"the demo needs weights that are absent ({', '.join(absent)}); run: refbench weights fetch demo"
        )


def _options(photos: Path | None) -> BuildOptions:
    from .builders.settings.options import BuildOptions

    if photos is not None:
        return BuildOptions(name=photos.resolve().name, val=0.0, test=1.0)
    return BuildOptions(
        name="sample-people",
        val=0.1,
        test=0.7,
        licence="CC BY 4.0: composites made from the Face Research Lab London Set (DeBruine & Jones 2017)",
        consent="composites, so nobody is shown; the volunteers agreed to the use of altered photos",
    )
