"""The bundled sample people: photos of people who do not exist, and the script that made them."""

from __future__ import annotations

from pathlib import Path

PEOPLE: Path = Path(__file__).parent / "people"


def truth() -> dict[str, str]:
    """Which person each photo shows, by file name: to judge identities by, never to find them."""
    return {path.name: path.name.split("_")[0] for path in sorted(PEOPLE.glob("*.jpg"))}
