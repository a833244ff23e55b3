"""Export of a set as WebDataset shards: tar files of samples, for training from a stream."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import RefbenchError
from ...files import canonical_json, replacing
from ...progress import track
from ...records.reference_set import ReferenceSet, Target
from .lq_exchange import lq_folders

PER_SHARD = 500


def write_webdataset(
    found: ReferenceSet,
    out: Path,
    recipes: Sequence[str] = (),
    *,
    with_references: bool = True,
    per_shard: int = PER_SHARD,
) -> list[Path]:
    """Write ``out/SPLIT-00000.tar`` and so on; every image with references is a sample.

    A sample is ``KEY.hq.png`` (``KEY.lq.png`` of a real photo), ``KEY.lq_RECIPE.png`` per recipe,
    ``KEY.ref0.png`` and so on in order of preference, and ``KEY.json`` with identity, reference keys and
    distances, landmarks and quality. Equal sets give equal bytes. Names of more than 100 bytes have the
    extended headers of POSIX (pax), which every reader of shards knows.

    Args:
        found: the set.
        out: folder to write to.
        recipes: names of recipes whose LQ images are included.
        with_references: include the pictures of the references in each sample.
        per_shard: greatest number of samples per file.

    Raises:
        RefbenchError: no LQ images of a recipe, or a missing image.
    """
    recipes = lq_folders(found, recipes)
    written = []
    for split in found.splits():
        targets = found.select(split)
        for number, start in enumerate(range(0, len(targets), per_shard)):
            path = out / f"{split}-{number:05d}.tar"
            part = targets[start : start + per_shard]
            with replacing(path) as partial, tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
                for target in track(path.name, part, len(part)):
                    for name, data in _members(found, target, recipes, with_references=with_references):
                        tar.addfile(_header(name, len(data)), io.BytesIO(data))
            written.append(path)
    return written


def _members(
    found: ReferenceSet, target: Target, recipes: Sequence[str], *, with_references: bool
) -> Iterator[tuple[str, bytes]]:
    if target.has_hq:
        yield f"{target.key}.hq.png", _read(found.root / target.hq)
    else:
        yield f"{target.key}.lq.png", _read(found.root / target.lq)
    for recipe in recipes:
        path = found.lq_path(recipe, target.key)
        if path.is_file():
            yield f"{target.key}.lq_{recipe}.png", path.read_bytes()
    if with_references:
        for number, key in enumerate(target.references):
            yield f"{target.key}.ref{number}.png", _read(found.hq_path(key))
    facts = {
        "key": target.key,
        "identity": target.identity,
        "references": list(target.references),
        "reference_distances": list(target.reference_distances),
        "landmarks": [list(point) for point in target.landmarks],
        "quality": target.quality,
        "licence": target.licence,
    }
    yield f"{target.key}.json", canonical_json(json.loads(json.dumps(facts))).encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefbenchError(f"{path}: cannot be read: {error.strerror}; run refbench verify") from None


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    return header  # no times or owners, so that only a long name gets an extended header, always the same
