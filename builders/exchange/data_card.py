"""Data card of an exported set (``README.md``): contents, licence and consent, provenance, audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...files import write_text
from ...images import read_rgb
from ...records.reference_set import ReferenceSet
from ..review.audit import BINS, KINDS, WIDEST, Audit
from ..review.html import number
from ..review.summary import SPLIT_COLUMNS, summarise

KNOWN_LICENCES = {
    "cc by 4.0": "cc-by-4.0",
    "cc by-nc 4.0": "cc-by-nc-4.0",
    "cc by-nc-sa 4.0": "cc-by-nc-sa-4.0",
    "cc by-sa 4.0": "cc-by-sa-4.0",
    "cc0": "cc0-1.0",
    "cc0 1.0": "cc0-1.0",
    "mit": "mit",
    "apache-2.0": "apache-2.0",
    "unknown": "unknown",
}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_data_card(
    found: ReferenceSet, out: Path, recipes: Sequence[str] = (), *, audit: Audit | None = None
) -> Path:
    """Write ``out/README.md`` for a set and its Parquet export.

    Args:
        found: the set.
        out: folder of the export.
        recipes: names of the recipes whose LQ images are in it.
        audit: of this very content; its counts and distance histograms are shown in the card.
    """
    parts = [
        _front_matter(found),
        f"# {found.info.name}\n",
        _summary(found),
        "## Licence, consent and limits\n\n" + _terms(found),
        "## Contents\n\n" + _contents(found, recipes),
        "## Loading\n\n" + _loading(),
        "## How it was made\n\n" + _provenance(found),
        "## Leaks\n\n" + _audit(audit),
    ]
    write_text(out / "README.md", "\n".join(parts))
    return out / "README.md"


def _front_matter(found: ReferenceSet) -> str:
    images = found.info.counts["images"]
    size = next((name for most, name in SIZES if images < most), "n>1M")
    licence = KNOWN_LICENCES.get(found.info.licence.lower(), "other")
    splits = found.splits()
    front: dict[str, Any] = {
        "pretty_name": found.info.name,
        "license": licence,
        "task_categories": ["image-to-image"],
        "tags": ["face-restoration", "reference-based", "faces"],
        "size_categories": [size],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
    }
    if licence == "other":
        front["license_name"] = found.info.licence[:60]
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"


def _summary(found: ReferenceSet) -> str:
    counts = found.info.counts
    return (
        f"{counts['images']:,} aligned face images of {counts['identities']:,} people, "
        f"{found.info.image_size} pixels square; {counts['images_with_references']:,} of them have "
        "references: other images of the same person that may guide a restoration. No person is in two "
        "splits. "
        f"Content hash `{found.info.content_hash}`.\n"
    )


def _terms(found: ReferenceSet) -> str:
    licences = sorted({target.licence for target in found.targets})
    return (
        f"- **Licence of the photos:** {', '.join(licences)}\n"
        f"- **Consent of the people shown:** {found.info.consent}\n"
        "- These are faces of people. Use them to measure and train face restoration. Do not identify "
        "anybody, do not link the images with names, and remove a person who asks for it.\n"
        "- A restored face is a guess, also where it looks certain: it is no evidence of who somebody is.\n"
        "- Identities were found by a network and may be wrong for single people; networks err more often "
        "for groups that were rare in their training.\n"
    )


def _contents(found: ReferenceSet, recipes: Sequence[str]) -> str:
    rows = _table(SPLIT_COLUMNS, summarise(found).splits)
    degraded = "".join(f"- `lq_{recipe}`: {_about_lq(found, recipe)}\n" for recipe in recipes)
    return (
        f"{rows}\n"
        "- `hq`: the aligned image, PNG\n"
        f"{degraded}"
        "- `references`, `reference_keys`, `reference_distances`: in order of preference\n"
        "- `key`: names the image; `identity`: the person, by number\n"
        "- `landmarks`: eyes, nose and mouth corners, x and y in turn, in pixels\n"
        "- `quality`: measurements of the face, JSON; `width`, `height`, `hq_sha256`, `phash`, `licence`\n"
    )


def _about_lq(found: ReferenceSet, recipe: str) -> str:
    """What an LQ column holds; the size of its pictures where they are smaller than HQ, by the first one."""
    text = f"the image degraded by the recipe {recipe}"
    path = next((p for t in found.targets if (p := found.lq_path(recipe, t.key)).is_file()), None)
    side = found.info.image_size if path is None else read_rgb(path).shape[1]
    return text if side == found.info.image_size else f"{text}, {side} pixels square; a restorer enlarges it"


def _loading() -> str:
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        'rows = load_dataset("PATH/OF/THIS/FOLDER", split="test")\n'
        'rows[0]["hq"], rows[0]["references"]\n```\n'
    )


def _provenance(found: ReferenceSet) -> str:
    settings = [(name, f"`{json.dumps(value)}`") for name, value in sorted(found.info.settings.items())]
    versions = [(name, f"`{version}`") for name, version in sorted(found.info.versions.items())]
    return (
        "With refbench. "
        "With the photos and `set.json`, `refbench rebuild` makes the same set again.\n\n"
        + _table(("choice", "value"), settings)
        + "\n"
        + _table(("part", "version"), versions)
    )


def _audit(found: Audit | None) -> str:
    if found is None:
        return "No audit of this content was made. `refbench audit SET` searches for leaks.\n"
    counts = [(KINDS[kind], count) for kind, count in found.counts.items()]
    histograms = [_histogram(sides, bins) for sides, bins in found.nearest.items()]
    table = _table(("leak", "pairs"), counts)
    return f"Checked: {'; '.join(found.checked)}.\n\n{table}\n" + "\n".join(histograms)


def _histogram(sides: str, bins: Sequence[int]) -> str:
    step = WIDEST / BINS
    rows = [
        (f"{place * step:.2f} to {(place + 1) * step:.2f}", count)
        for place, count in enumerate(bins)
        if count
    ]
    title = f"Distance of every image to the nearest on the other side, {sides}:"
    return f"{title}\n\n{_table(('cosine distance', 'images'), rows)}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *([number(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
