"""Files in a set's folder that were made from it, or say something about it, and whether they still fit it.

A build into the folder of an earlier set replaces the set, while audits, review sheets, LQ images and the
files of people stay. Each of them states what it was made of; where nothing states it, people are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import RefbenchError
from ...records.reference_set import ReferenceSet
from ...records.selection import stale_lq
from .audit import Audit

AUDIT = "audit.json"
REVIEW = "review.html"
CONTENT_META = "refbench-content"
OF_PEOPLE = {"groups.csv": "groups of identities by number", "masks": "face masks by key"}


def fitting_audit(found: ReferenceSet, path: Path | None = None) -> Audit | str:
    """The audit of this very set; or why there is none, with the command that makes it.

    Args:
        found: the set.
        path: ``audit.json``; None for the one in the set's folder.

    Raises:
        RefbenchError: ``path`` is given and cannot be read as an audit.
    """
    command = f"refbench audit {found.root}"
    chosen = path or found.root / AUDIT
    if path is None and not chosen.is_file():
        return f"no audit of this content was made; make one with: {command}"
    audit = Audit.read(chosen)
    if audit.against:
        others = ", ".join(name for name, _ in audit.against)
        return f"{chosen} compares the set with others ({others}); audit the set itself with: {command}"
    if not audit.is_of(found):
        return f"{chosen} is of other content than the set; audit the set again with: {command}"
    return audit


def stale_files(found: ReferenceSet) -> Iterator[str]:
    """One line for every file in the set's folder that is not of this content, with what to do."""
    root = found.root
    for path in sorted(root.glob("audit*.json")):
        try:
            fits = Audit.read(path).of == found.identification()
        except RefbenchError:
            fits = False
        if not fits:
            yield f"{path} is of other content than the set; make it again with: refbench audit {root}"
    review = root / REVIEW
    if review.is_file() and stated_content(review) != found.info.content_hash:
        yield f"{review} is of other content than the set; make it again with: refbench review {root}"
    for folder in sorted((root / "lq").glob("*/")):
        if stale := stale_lq(found, folder):
            again = f"make them again with: refbench degrade {root} --recipe {folder.name}"
            yield f"{folder}: {len(stale)} LQ images are of HQ images that were replaced; {again}"
    for name, what in OF_PEOPLE.items():
        if (root / name).exists():
            yield f"{root / name} ({what}) may be of the set that was here before; check it or remove it"


def stated_content(page: Path) -> str:
    """The content hash that an HTML page of a set states; empty where it states none."""
    try:
        head = page.read_text("utf-8", "replace")[:4096]
    except OSError:
        return ""
    said = re.search(rf'<meta name="{CONTENT_META}" content="([0-9a-f]*)">', head)
    return said[1] if said else ""
