"""Names of submissions and benchmarks, for people, in file names and in addresses."""

from __future__ import annotations

import re

from ...files import sha256_bytes
from ...names import is_portable
from ...records.card import Card


def label(card: Card) -> str:
    """The name for people: the model, and its version where that is not the first."""
    return card.model if card.version == "1" else f"{card.model} {card.version}"


def entry_name(card: Card) -> str:
    """``MODEL@VERSION`` as a folder name and in addresses; spaces become hyphens."""
    return "@".join(safe_name(re.sub(r"\s+", "-", text.strip())) for text in (card.model, card.version))


def safe_name(text: str) -> str:
    """``text`` in letters, digits and ``._+-``; with six digits of its SHA-256 if anything was lost.

    So it is for names that Windows forbids, such as ``con``.
    """
    kept = re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-.")[:80]
    is_whole = kept == text and is_portable(kept)
    return kept if is_whole else f"{kept or 'x'}-{sha256_bytes(text.encode('utf-8'))[:6]}"
