"""Sample people: bundled photos of faces that are composites, with the identity of each photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PEOPLE: Path = Path(__file__).parent / "people"
"""Folder of the photos: 120 JPEG files of 512 x 512 pixels, named ``PERSON_KIND.jpg``."""


def true_identities() -> dict[str, str]:
    """Person on each bundled photo by file name, to score found identities against; builds never read it."""
    return {path.name: path.name.split("_")[0] for path in sorted(PEOPLE.glob("*.jpg"))}


def __getattr__(name: str) -> Any:
    """`true_identities` by its name in 0.1."""
    if name != "truth":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ..deprecated import warn

    warn(f"{__name__}.truth", f"{__name__}.true_identities")
    return true_identities
