"""Export of a set as plain folders: ``SPLIT/IDENTITY/KEY.png``."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...errors import RefbenchError
from ...files import replacing
from ...progress import track
from ...records.reference_set import ReferenceSet


def write_folders(found: ReferenceSet, out: Path) -> list[Path]:
    """Copy every image to ``out/SPLIT/IDENTITY/KEY.png``.

    A build with the options ``aligned`` and ``identities: folders`` reads a split back.

    Raises:
        RefbenchError: an image of the set is missing.
    """
    written = []
    for target in track("images", found.targets, len(found.targets)):
        path = out / target.split / target.identity / f"{target.key}.png"
        try:
            with replacing(path) as partial:
                shutil.copyfile(found.root / (target.hq or target.lq), partial)
        except FileNotFoundError:
            raise RefbenchError(f"{path.name} is missing in {found.root}; run refbench verify") from None
        written.append(path)
    return written
